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
print late done
