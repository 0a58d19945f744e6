# Known calls, in prime numbers, by several threads and processes, in both
# layers, nested, failing, and in the per-thread variants.
cudaSetDevice device=0
cudaStreamCreate out=s
cudaEventCreate out=e
repeat 3 { cudaMalloc bytes=4096 out=d }
cudaMalloc bytes=1m out=big
cudaMallocHost bytes=64k out=h
repeat 13 { cudaLaunchKernel func=gemm grid=4,2,1 block=128,2,1 smem=1024 stream=s }
repeat 17 { cudaLaunchKernel_ptsz func=add grid=7,5,3 block=32,8,2 smem=96 }
repeat 5 { cudaLaunchKernelExC func=rope grid=8,9,10 block=64,1,1 smem=512 stream=s }
repeat 7 { cudaMemcpyAsync dst=big src=h bytes=1009 kind=h2d stream=s }
repeat 11 { cudaMemcpy dst=h src=big bytes=2003 kind=d2h }
repeat 19 { cudaEventRecord event=e stream=s }
repeat 23 { cudaStreamSynchronize stream=s }
repeat 29 { fail cuStreamSynchronize 700; cudaStreamSynchronize stream=s }
cudaFree ptr=d
thread worker count=3 {
  cudaStreamCreate out=t@
  repeat 101 { cudaLaunchKernel func=silu stream=t@ }
  repeat 31 { cudaStreamSynchronize stream=t@ }
}
process child {
  cuInit flags=0
  repeat 37 { cudaLaunchKernel func=softmax }
  repeat 3 { cudaDeviceSynchronize }
}
join
