# A small inference server with the processes and threads of vLLM:
#
#   vllm                the API server: forks the others, then serves
#   data-worker         makes batches, asked for and delivered over pipes
#   VLLM::EngineCor     the engine; its main thread is the dispatcher
#     kv-offload        moves the cache to the disk and holds its lock meanwhile
#   cpu-hog             takes the engine's CPU in phases
#
# One step: take a batch, launch 42 kernels in stream order, copy the tokens
# back, record an event, wait for the stream. About 9 ms, 8 of them on the GPU.
set duration 10s
set dir /var/tmp
set cpu 0
set kernel_ns 190us
set lock 0
set io 0
set hog 0
set firstlaunch 0
set queue 0
set prefill 0
set malloc 0
set input 0
set ever 1000000s # daemons end with the server

name vllm
make-file $dir/fakecuda-engine.kv 8m
make-file $dir/fakecuda-engine.weights 8m
pipe ask
pipe batch

process data-worker daemon {
  loop $ever {
    read ask 1
    # input: the next batch is late, because it has to come from the disk.
    if $input { every 700ms { loop 15ms { read-file $dir/fakecuda-engine.weights 1m direct } } }
    write batch 64
  }
}

if $hog { process cpu-hog daemon {
  pin $cpu
  loop $ever { sleep 700ms; burn 300ms }
} }

process VLLM::EngineCore {
  title VLLM::EngineCore
  pin $cpu
  cudaSetDevice device=0
  cudaStreamCreateWithFlags flags=1 out=compute
  cudaEventCreateWithFlags flags=1 out=copied
  cudaMalloc bytes=1g out=cache
  cudaMalloc bytes=4m out=tokens
  cudaMallocHost bytes=64k out=host

  # lock: the cache's lock is held while the disk is written and read.
  if $lock { thread kv-offload daemon {
    loop $ever {
      sleep 480ms
      lock kv-cache
      loop 12ms {
        write-file $dir/fakecuda-engine.kv 4m fsync
        read-file $dir/fakecuda-engine.kv 8m direct chunk=4m
      }
      unlock kv-cache
    }
  } }

  # Warm up, so that no step of a healthy run loads a module.
  cudaLaunchKernel func=rmsnorm stream=compute
  cudaLaunchKernel func=gemm stream=compute
  cudaLaunchKernel func=rope stream=compute
  cudaLaunchKernel func=cache stream=compute
  cudaLaunchKernel func=attention stream=compute
  cudaLaunchKernel func=silu stream=compute
  cudaLaunchKernel func=sample stream=compute
  cudaLaunchKernel func=prefill stream=compute
  cudaStreamSynchronize stream=compute
  write ask 1

  loop $duration {
    poll batch
    read batch 64
    write ask 1
    spin 400us

    cudaMemcpyAsync dst=tokens src=host bytes=4k kind=h2d stream=compute
    repeat 6 {
      cudaLaunchKernel func=rmsnorm grid=64 block=256 ns=$kernel_ns stream=compute
      cudaLaunchKernel func=gemm grid=128,8,1 block=256 smem=98304 ns=$kernel_ns stream=compute
      cudaLaunchKernel func=rope grid=64 block=128 ns=$kernel_ns stream=compute
      cudaLaunchKernel func=attention grid=32,8,1 block=128 smem=65536 ns=$kernel_ns stream=compute
      cudaLaunchKernel func=gemm grid=128,8,1 block=256 smem=98304 ns=$kernel_ns stream=compute
      cudaLaunchKernel func=silu grid=64 block=1024 ns=$kernel_ns stream=compute
      spin 20us
    }
    # The launch that writes the cache holds its lock, as a hook in a real allocator would.
    inside cuLaunchKernel { lock kv-cache; unlock kv-cache }
    cudaLaunchKernel func=cache grid=64 block=512 ns=$kernel_ns stream=compute
    cudaLaunchKernel func=rmsnorm grid=64 block=256 ns=$kernel_ns stream=compute
    cudaLaunchKernel func=gemm grid=256,8,1 block=256 smem=98304 ns=$kernel_ns stream=compute
    cudaLaunchKernel func=sample grid=64 block=1024 ns=$kernel_ns stream=compute

    # prefill: one long kernel in front of the short ones.
    if $prefill { every 900ms { cudaLaunchKernel func=prefill grid=2048,32,1 block=256 ns=40ms stream=compute } }
    # queue: more launches than the queue of the GPU stream has room for.
    if $queue { every 1100ms { cudaLaunchKernel func=add grid=1 block=32 ns=20us stream=compute times=1800 } }
    # firstlaunch: the module of a function is loaded by its first launch.
    if $firstlaunch { after 1500ms {
      setting module_load_ns 25ms
      cudaLaunchKernel func=cold grid=4 block=64 ns=$kernel_ns stream=compute
      setting module_load_ns 0
    } }
    # malloc: a storm of allocations.
    if $malloc { every 800ms {
      setting malloc_ns 400us
      repeat 30 { cudaMallocAsync bytes=1m out=scratch stream=compute; cudaFreeAsync ptr=scratch stream=compute }
      setting malloc_ns 0
    } }
    # io: the dispatcher itself reads from the disk.
    if $io { every 600ms { loop 10ms { read-file $dir/fakecuda-engine.weights 1m direct } } }

    cudaMemcpyAsync dst=host src=tokens bytes=4k kind=d2h stream=compute
    cudaEventRecord event=copied stream=compute
    cudaStreamSynchronize stream=compute
  }
}

print engine running
loop $duration { sleep 5ms; spin 100us }
