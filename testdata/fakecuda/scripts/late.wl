# CUDA arrives late: for workload-late, which is not linked to it.
set out out
set delay 20ms
sleep $delay
dlopen $out/libcuda.so.1 driver
dlopen $out/libcudart.so.12 runtime
runtime.cudaStreamCreate out=s expect=0
runtime.cudaLaunchKernel func=gemm stream=s ns=1ms expect=0 times=3
runtime.cudaStreamSynchronize stream=s expect=0
driver.cuModuleLoadData out=m expect=0
driver.cuModuleGetFunction module=m name=gemm out=f expect=0
driver.cuLaunchKernel f=f stream=s expect=0
dlopen $out/libnccl.so.2 nccl
nccl-id id
nccl.ncclCommInitRank nranks=1 id=id rank=0 out=comm expect=0
nccl.ncclAllReduce count=1k dtype=f32 comm=comm stream=s expect=0
runtime.cudaStreamSynchronize stream=s expect=0
nccl.ncclCommDestroy comm=comm expect=0
print late done
