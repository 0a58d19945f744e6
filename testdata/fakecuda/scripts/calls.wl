# Every call of calls.def that needs no particular state, with exact arguments.
set ready ""
cudaSetDevice device=0
cudaStreamCreate out=s
cudaStreamCreateWithFlags flags=1 out=t
cudaEventCreate out=e
cudaEventCreateWithFlags flags=2 out=e2
cudaMalloc bytes=1m out=d expect=0
cudaMallocHost bytes=64k out=h expect=0
cudaLaunchKernel func=gemm grid=4,2,1 block=128,2,1 smem=1024 ns=1ms stream=s expect=0
cudaStreamQuery stream=s expect=600
cudaEventRecord event=e stream=s expect=0
cudaEventQuery event=e expect=600
cudaStreamWaitEvent stream=t event=e expect=0
cudaStreamQuery stream=t expect=600
cudaEventSynchronize event=e expect=0
cudaEventQuery event=e expect=0
cudaLaunchKernel_ptsz func=add ns=100us expect=0
cudaStreamSynchronize_ptsz expect=0
cudaLaunchKernelExC func=rope grid=8 block=64 smem=512 stream=s ns=10us expect=0
cudaLaunchKernelExC_ptsz func=rope grid=8 block=64 expect=0
cudaLaunchCooperativeKernel func=add stream=s expect=0
cudaLaunchCooperativeKernel_ptsz func=add expect=0
__cudaGetKernel func=silu out=k expect=0
__cudaLaunchKernel func=silu stream=s expect=0
__cudaLaunchKernel_ptsz func=silu expect=0
cuModuleLoadData load=1ms out=m expect=0
cuModuleGetFunction module=m name=softmax out=f expect=0
cuLaunchKernel f=f grid=3,5,7 block=16,4,2 smem=64 stream=s ns=10us expect=0
cuLaunchKernel_ptsz f=f expect=0
cuLaunchKernelEx f=f grid=2 block=32 stream=t ns=1us expect=0
cuLaunchKernelEx_ptsz f=f expect=0
cuLaunchCooperativeKernel f=f stream=s expect=0
cuLaunchCooperativeKernel_ptsz f=f expect=0
cuLibraryLoadData load=10us out=l expect=0
cuLibraryGetKernel library=l name=gemm out=lk expect=0
cuKernelGetFunction kernel=lk out=lf expect=0
cuLibraryGetModule library=l out=lm expect=0
cuLaunchKernel f=lf stream=s expect=0
cudaMemcpy dst=d src=h bytes=64k kind=h2d expect=0
cudaMemcpy_ptds dst=h src=d bytes=64k kind=d2h expect=0
cudaMemcpyAsync dst=d src=h bytes=1m kind=h2d stream=s expect=0
cudaMemcpyAsync_ptsz dst=d src=d bytes=1m kind=d2d expect=0
cudaMemcpyAsync dst=d src=h bytes=4k kind=default stream=s expect=0
cudaMemcpy dst=d src=h bytes=4k kind=9 expect=21
cudaMemcpy2D dst=d dpitch=256 src=h spitch=256 width=128 height=4 kind=h2d expect=0
cudaMemcpy2DAsync dst=d dpitch=256 src=h spitch=256 width=128 height=4 kind=h2d stream=s expect=0
cudaMemcpy2D dst=d dpitch=16 src=h spitch=256 width=128 height=4 kind=h2d expect=1
cudaMemcpyPeer dst=d dstdev=0 src=d srcdev=0 bytes=4k expect=0
cudaMemcpyPeerAsync dst=d dstdev=0 src=d srcdev=0 bytes=4k stream=s expect=0
cudaMemset dst=d value=7 bytes=4k expect=0
cudaMemsetAsync dst=d value=7 bytes=4k stream=s expect=0
cudaMemsetAsync_ptsz dst=d value=7 bytes=4k expect=0
cuMemcpyHtoDAsync_v2 dst=d src=h bytes=4k stream=s expect=0
cuMemcpyDtoHAsync_v2 dst=h src=d bytes=4k stream=s expect=0
cuMemcpyDtoDAsync_v2 dst=d src=d bytes=4k stream=s expect=0
cuMemcpyPeerAsync dst=d src=d bytes=4k stream=s expect=0
cuMemsetD32Async dst=d value=1 n=1024 stream=s expect=0
cudaMallocAsync bytes=4k stream=s out=a expect=0
cudaFreeAsync ptr=a stream=s expect=0
cudaMalloc bytes=900g out=x expect=2
cudaFree ptr=0x1234 expect=1
cudaFree ptr=0 expect=0
cuMemCreate bytes=2m out=vh expect=0
cuMemAddressReserve bytes=2m out=va expect=0
cuMemMap ptr=va bytes=2m handle=vh expect=0
cuMemSetAccess ptr=va bytes=2m count=1 expect=0
cuMemUnmap ptr=va bytes=2m expect=0
cuMemAddressFree ptr=va bytes=2m expect=0
cuMemRelease handle=vh expect=0
cudaMallocManaged bytes=4k flags=1 out=mm expect=0
cudaFree ptr=mm expect=0
cudaMallocPitch width=1000 height=16 out=mp expect=0
cudaFree ptr=mp expect=0
cuMemAllocPitch_v2 width=1000 height=16 element=3 out=mp expect=1
cudaHostAlloc bytes=4k out=hh expect=0
cudaFreeHost ptr=hh expect=0
cudaStreamBeginCapture stream=s expect=0
cudaLaunchKernel func=gemm stream=s ns=500us expect=0
cudaLaunchKernel func=add stream=s ns=500us expect=0
cudaStreamEndCapture stream=s out=g expect=0
cudaGraphInstantiate graph=g out=ge expect=0
cudaGraphLaunch exec=ge stream=s expect=0
cudaStreamQuery stream=s expect=600
cudaGraphLaunch_ptsz exec=ge expect=0
cuGraphLaunch exec=ge stream=s expect=0
cudaDeviceSynchronize expect=0
cuCtxSynchronize expect=0
cuCtxSynchronize_v2 expect=0
cudaLaunchKernel func=0xdeadbeef expect=98
cudaLaunchKernel func=gemm grid=0 expect=1
cudaStreamSynchronize stream=0xabc expect=400
cudaStreamSynchronize stream=1 expect=0
cudaEventElapsedTime start=e end=e out=ms expect=0
cuGetProcAddress_v2 symbol=cuLaunchKernel version=12000 flags=2 out=p expect=0
cuGetProcAddress_v2 symbol=cuNoSuch version=12000 out=p expect=500
fail cuMemAlloc_v2 2
cudaMalloc bytes=4k out=x expect=2
fail cuLaunchKernel 719
cudaLaunchKernel func=gemm expect=719
cudaGetLastError expect=719
cudaGetLastError expect=0
cudaStreamDestroy stream=s expect=0
cudaEventDestroy event=e expect=0
print calls done
