# A launch takes a lock whose holder waits for the disk.
# Expected: lock; the holder "offload" and its disk reads
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up is over

name lock-io
cudaSetDevice device=0
cudaStreamCreateWithFlags flags=1 out=s
cudaMalloc bytes=64m out=d
cudaMallocHost bytes=64k out=h
cudaLaunchKernel func=gemm stream=s
cudaLaunchKernel func=prefill stream=s ns=1ms
cudaStreamSynchronize stream=s
make-file $dir/gpucause-offload 16m
thread offload daemon {
  repeat 1000000 {
    sleep 150ms
    lock cache
    loop 25ms { read-file $dir/gpucause-offload 16m direct chunk=1m }
    unlock cache
  }
}
if $ready { ready $ready }
if $go { wait-file $go }

repeat $steps {
  spin 200us
  repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
  inside cuLaunchKernel { lock cache; unlock cache }
  cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s
  cudaStreamSynchronize stream=s
}
