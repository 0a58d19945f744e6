# Publishing who the process is and which span its threads are in.
process-context service.name=trainer service.instance.id=7 +threadlocal.schema_version=tls_v1
process-context anonymous service.name=other
thread worker count=2 {
  span 0af7651916cd43dd8448eb211c80319@ b7ad6b716920333@
  cudaLaunchKernel func=gemm expect=0
  cudaDeviceSynchronize expect=0
  span-end in-place
  span 0af7651916cd43dd8448eb211c80319@ 00f067aa0ba902b@ flags=0
  span-end
  context-place
}
join
