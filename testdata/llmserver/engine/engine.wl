# What the engine's process does besides queueing and scheduling, in the
# language of the simulated stack (../../fakecuda/README.md). Blocks with a name
# are run by the engine; it sets the numbers
#
#   decode_ns, prefill_ns, sample_ns  GPU time of one kernel in this step
#   for                               length of the fault
#
# and $title, $dir, $cpu, $id are options of its command line.
set dir /var/tmp
set cpu 0
set title VLLM::EngineCore
set id 0
set ever 1000000s

# Once, before the first request: no later step loads a module of the model.
start {
  name VLLM::EngineCore
  title $title
  cudaSetDevice device=0
  cudaStreamCreateWithFlags flags=1 out=compute
  cudaEventCreateWithFlags flags=1 out=copied
  cudaMalloc bytes=8g out=cache
  cudaMalloc bytes=64k out=tokens
  cudaMallocHost bytes=64k out=host
  cudaLaunchKernel func=rmsnorm stream=compute
  cudaLaunchKernel func=rope stream=compute
  cudaLaunchKernel func=attention stream=compute
  cudaLaunchKernel func=gemm stream=compute
  cudaLaunchKernel func=silu stream=compute
  cudaLaunchKernel func=prefill stream=compute
  cudaLaunchKernel func=sample stream=compute
  cudaLaunchKernel func=cache stream=compute
  cudaStreamSynchronize stream=compute
}

# A step is: decode, prefill where there are prompts, sample, collect.
decode {
  spin 200us
  cudaMemcpyAsync dst=tokens src=host bytes=4k kind=h2d stream=compute
  repeat 4 {
    cudaLaunchKernel func=rmsnorm grid=64 block=256 ns=decode_ns stream=compute
    cudaLaunchKernel func=rope grid=64 block=128 ns=decode_ns stream=compute
    cudaLaunchKernel func=attention grid=32,8,1 block=128 smem=65536 ns=decode_ns stream=compute
    cudaLaunchKernel func=gemm grid=128,8,1 block=256 smem=98304 ns=decode_ns stream=compute
    cudaLaunchKernel func=silu grid=64 block=1024 ns=decode_ns stream=compute
  }
}

prefill {
  repeat 4 { cudaLaunchKernel func=prefill grid=2048,32,1 block=256 ns=prefill_ns stream=compute }
}

sample {
  cudaLaunchKernel func=sample grid=64 block=1024 ns=sample_ns stream=compute
}

collect {
  cudaMemcpyAsync dst=host src=tokens bytes=4k kind=d2h stream=compute
  cudaEventRecord event=copied stream=compute
  cudaEventSynchronize event=copied
}

# Faults: `fault NAME CAUSE`. `prepare` is run at the start where the fault is
# asked for, `inject` between the launches of a step and its collect; all that
# the fault delays is in `inject`.

# A launch takes the lock of the cache, whose holder moves the cache to the disk.
fault lock lock {
  prepare {
    pipe offload
    make-file $dir/llmserver-$id.cache 16m
    thread kv-offload daemon { loop $ever {
      read offload 1
      lock kv-cache
      barrier held 2
      loop for {
        write-file $dir/llmserver-$id.cache 1m fsync
        read-file $dir/llmserver-$id.cache 16m direct chunk=1m
      }
      unlock kv-cache
    } }
  }
  inject {
    write offload 1
    barrier held 2
    inside cuLaunchKernel { lock kv-cache; unlock kv-cache }
    cudaLaunchKernel func=cache grid=64 block=512 ns=10us stream=compute
  }
}

# The dispatcher itself reads from the disk.
fault io io {
  prepare { make-file $dir/llmserver-$id.weights 16m }
  inject { loop for { read-file $dir/llmserver-$id.weights 16m direct chunk=1m } }
}

# A thread with real-time priority takes the dispatcher's CPU.
fault cpu cpu_contention {
  prepare {
    pipe preempt
    thread cpu-hog daemon { pin $cpu; fifo 10; loop $ever { read preempt 1; burn for } }
    pin $cpu
  }
  inject { write preempt 1; burn 500us }
}

# The dispatcher waits for what another thread compiles from files, such as a grammar.
fault input input_wait {
  prepare {
    pipe ask
    pipe answer
    make-file $dir/llmserver-$id.grammar 16m
    thread grammar daemon { loop $ever {
      read ask 1
      loop for { read-file $dir/llmserver-$id.grammar 16m direct chunk=1m }
      write answer 1
    } }
  }
  inject { write ask 1; read answer 1 }
}

# The dispatcher computes between two launches.
fault host_code host_code {
  inject { burn for }
}

# One long kernel.
fault gpu gpu_busy {
  inject {
    cudaLaunchKernel func=prefill grid=2048,32,1 block=256 ns=for stream=compute
    cudaStreamSynchronize stream=compute
  }
}

# A kernel is compiled for a shape that was not met before, loaded, and launched.
fault first_launch module_load {
  inject {
    cuModuleLoadData load=for out=compiled
    cuModuleGetFunction module=compiled name=cold out=function
    cuLaunchKernel f=function grid=64,1,1 block=256,1,1 ns=10us stream=compute
  }
}

# When the engine ends.
end {
  remove $dir/llmserver-$id.cache
  remove $dir/llmserver-$id.weights
  remove $dir/llmserver-$id.grammar
}
