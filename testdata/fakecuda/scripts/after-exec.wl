cudaLaunchKernel func=add times=7
print after exec
