# Threads, locks, pipes, files, processes, and waits inside calls.
set dir /var/tmp
pipe p
pipe q
thread worker count=3 {
  cudaStreamCreate out=s@
  barrier go 4
  repeat 100 { cudaLaunchKernel func=gemm stream=s@ ns=10us }
  cudaStreamSynchronize stream=s@
}
barrier go 4
process child {
  read p 4
  sleep 5ms
  cudaLaunchKernel func=add ns=1ms
  cudaDeviceSynchronize
  write q 4
}
thread holder {
  lock m
  barrier held 2
  read-file $dir/fakecuda-test 2m cold
  write-file $dir/fakecuda-test 256k fsync
  sleep 10ms
  unlock m
}
barrier held 2
mark blocked
inside cuLaunchKernel { lock m; unlock m }
cudaLaunchKernel func=gemm
write p 4
inside cuStreamSynchronize { poll q 1s }
cudaStreamSynchronize
read q 4
touch-pages $dir/fakecuda-test 1m
inside { spin 1ms; yield 3 }
cudaEventCreate out=e
join
remove $dir/fakecuda-test
print threads done
