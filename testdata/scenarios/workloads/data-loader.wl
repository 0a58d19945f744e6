# The next batch comes late from a worker process that waits for the disk.
# Expected: input_wait; the worker and its disk reads
set steps 300
set dir /var/tmp
set cpu 0
set go ""      # start when this file exists
set ready ""   # made, with the pid inside, when the warm-up is over
make-file $dir/gpucause-batches 16m
pipe ask
pipe batch
process loader daemon {
  repeat 1000000 {
    read ask 1
    every 150ms { loop 25ms { read-file $dir/gpucause-batches 16m direct chunk=1m } }
    write batch 64
  }
}

name data-loader
cudaSetDevice device=0
cudaStreamCreateWithFlags flags=1 out=s
cudaMalloc bytes=64m out=d
cudaMallocHost bytes=64k out=h
cudaLaunchKernel func=gemm stream=s
cudaLaunchKernel func=prefill stream=s ns=1ms
cudaStreamSynchronize stream=s
if $ready { ready $ready }
if $go { wait-file $go }

repeat $steps {
  write ask 1
  poll batch
  read batch 64
  spin 200us
  repeat 20 { cudaLaunchKernel func=gemm grid=64 block=256 ns=100us stream=s }
  cudaStreamSynchronize stream=s
}
