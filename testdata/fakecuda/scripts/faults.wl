# What may go wrong inside a call.
process killed { inside cuLaunchKernel { kill }; cudaLaunchKernel func=gemm }
process threads {
  thread leaver { inside cuLaunchKernel { exit-thread }; cudaLaunchKernel func=gemm; print "not reached" }
  join
}
process execs { inside cuLaunchKernel { exec self $after }; cudaLaunchKernel func=gemm }
process forks {
  inside cuLaunchKernel { process grandchild { cudaLaunchKernel func=add } }
  cudaLaunchKernel func=gemm
}
repeat 10 { catch { inside cuLaunchKernel { longjmp }; cudaLaunchKernel func=gemm; print "not reached" } }
cudaLaunchKernel func=gemm
recurse 12 { cudaLaunchKernel func=gemm }
join
print faults done
