package probe

// runtimeRows are the functions of the CUDA runtime (cuda_runtime_api.h), with
// argument positions as slots.
func runtimeRows() []row {
	of := func(class Class, symbol string, options ...option) row {
		return newRow(LayerRuntime, class, symbol, options)
	}
	byValue := func(r *row) {
		for _, fill := range []option{
			launches(0), dim3("cuda.grid", 1), dim3("cuda.block", 3),
			integer("cuda.shared_memory.size", 6), stream(7), perThreadStream,
		} {
			fill(r)
		}
	}
	return []row{
		of(ClassLaunch, "cudaLaunchKernel", byValue),
		of(ClassLaunch, "__cudaLaunchKernel", byValue),
		of(ClassLaunch, "cudaLaunchCooperativeKernel", byValue),
		of(ClassLaunch, "cudaLaunchKernelExC", launches(1), configured(64), perThreadStream),
		of(ClassLaunch, "cudaGraphLaunch", handle("cuda.graph_exec", 0), stream(1), perThreadStream),

		of(ClassSync, "cudaStreamSynchronize", aboutStream(EdgeSyncsStream), perThreadStream),
		of(ClassSync, "cudaDeviceSynchronize", syncsDevice),
		of(ClassSync, "cudaEventSynchronize", aboutEvent(EdgeSyncsEvent)),

		of(ClassOther, "cudaEventRecord", recordsEvent, perThreadStream),
		of(ClassOther, "cudaEventRecordWithFlags", recordsEvent, perThreadStream),
		of(ClassOther, "cudaEventQuery", aboutEvent(EdgeQueriesEvent), polls),
		of(ClassOther, "cudaStreamQuery", aboutStream(EdgeQueriesStream), polls, perThreadStream),
		of(ClassOther, "cudaStreamWaitEvent", awaitsEvent, perThreadStream),
		of(ClassOther, "cudaStreamBeginCapture", beginsCapture, perThreadStream),
		of(ClassOther, "cudaStreamBeginCaptureToGraph", beginsCapture, perThreadStream),
		of(ClassOther, "cudaStreamEndCapture", endsCapture, perThreadStream),
		of(ClassOther, "cudaGraphInstantiate", handle("cuda.graph", 1)),
		of(ClassOther, "cudaGraphInstantiateWithFlags", handle("cuda.graph", 1)),

		of(ClassMemcpy, "cudaMemcpy", copiesBy(2, 3), perThreadDefault),
		of(ClassMemcpy, "cudaMemcpyAsync", copiesBy(2, 3), stream(4), perThreadStream),
		of(ClassMemcpy, "cudaMemcpy2D", copies2D(4, 6), perThreadDefault),
		of(ClassMemcpy, "cudaMemcpy2DAsync", copies2D(4, 6), stream(7), perThreadStream),
		of(ClassMemcpy, "cudaMemcpy3D", perThreadDefault),
		of(ClassMemcpy, "cudaMemcpy3DAsync", stream(1), perThreadStream),
		of(ClassMemcpy, "cudaMemcpyPeer", copies(4, MemcpyDeviceToDevice)),
		of(ClassMemcpy, "cudaMemcpyPeerAsync", copies(4, MemcpyDeviceToDevice), stream(5)),
		of(ClassMemcpy, "cudaMemcpyToSymbol", copiesBy(2, 4), perThreadDefault),
		of(ClassMemcpy, "cudaMemcpyFromSymbol", copiesBy(2, 4), perThreadDefault),
		of(ClassMemcpy, "cudaMemset", region(0, 2), perThreadDefault),
		of(ClassMemcpy, "cudaMemsetAsync", region(0, 2), stream(3), perThreadStream),

		of(ClassMemory, "cudaMalloc", allocates(1)),
		of(ClassMemory, "cudaMallocAsync", allocates(1), stream(2), perThreadStream),
		of(ClassMemory, "cudaMallocFromPoolAsync", allocates(1), stream(3), perThreadStream),
		of(ClassMemory, "cudaMallocManaged", allocates(1)),
		of(ClassMemory, "cudaMallocPitch", allocates2D(2)),
		of(ClassMemory, "cudaFree", frees),
		of(ClassMemory, "cudaFreeAsync", frees, stream(1), perThreadStream),
		// Host memory: not counted as GPU memory.
		of(ClassMemory, "cudaMallocHost", sized(1)),
		of(ClassMemory, "cudaHostAlloc", sized(1)),
		of(ClassMemory, "cudaFreeHost", handle("cuda.memory.address", 0)),
		of(ClassMemory, "cudaHostRegister", region(0, 1)),
		of(ClassMemory, "cudaHostUnregister", handle("cuda.memory.address", 0)),

		of(ClassModuleLoad, "cudaLibraryLoadData"),
		of(ClassModuleLoad, "cudaLibraryLoadFromFile"),
		of(ClassModuleLoad, "cudaLibraryUnload"),
		of(ClassModuleLoad, "cudaLibraryGetKernel", named(2)),
		of(ClassModuleLoad, "__cudaRegisterFunction", registers(1, 3), handle("cuda.function.handle", 1)),
		of(ClassModuleLoad, "__cudaGetKernel", renames(1), handle("cuda.function.handle", 1)),
		of(ClassModuleLoad, "cudaGetFuncBySymbol", renames(1), handle("cuda.function.handle", 1)),
		of(ClassModuleLoad, "cudaFuncGetAttributes", handle("cuda.function.handle", 1)),

		of(ClassOther, "cudaSetDevice", setsDevice),
	}
}
