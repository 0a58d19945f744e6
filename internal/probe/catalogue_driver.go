package probe

// driverRows are the functions of the CUDA driver (cuda.h), with argument
// positions as slots.
func driverRows() []row {
	of := func(class Class, symbol string, options ...option) row {
		return newRow(LayerDriver, class, symbol, options)
	}
	byValue := func(r *row) {
		for _, fill := range []option{
			launches(0),
			integer32("cuda.grid.x", 1), integer32("cuda.grid.y", 2), integer32("cuda.grid.z", 3),
			integer32("cuda.block.x", 4), integer32("cuda.block.y", 5), integer32("cuda.block.z", 6),
			integer32("cuda.shared_memory.size", 7), stream(8), perThreadStream,
		} {
			fill(r)
		}
	}
	context := handle("cuda.context", 0)
	address := handle("cuda.memory.address", 0)
	return []row{
		of(ClassLaunch, "cuLaunchKernel", byValue),
		of(ClassLaunch, "cuLaunchCooperativeKernel", byValue),
		of(ClassLaunch, "cuLaunchKernelEx", launches(1), configured(32), perThreadStream),
		of(ClassLaunch, "cuGraphLaunch", handle("cuda.graph_exec", 0), stream(1), perThreadStream),

		of(ClassSync, "cuStreamSynchronize", aboutStream(EdgeSyncsStream), perThreadStream),
		of(ClassSync, "cuCtxSynchronize", syncsDevice),
		of(ClassSync, "cuCtxSynchronize_v2", context, syncsDevice),
		of(ClassSync, "cuEventSynchronize", aboutEvent(EdgeSyncsEvent)),

		of(ClassOther, "cuEventRecord", recordsEvent, perThreadStream),
		of(ClassOther, "cuEventRecordWithFlags", recordsEvent, perThreadStream),
		of(ClassOther, "cuEventQuery", aboutEvent(EdgeQueriesEvent), polls),
		of(ClassOther, "cuStreamQuery", aboutStream(EdgeQueriesStream), polls, perThreadStream),
		of(ClassOther, "cuStreamWaitEvent", awaitsEvent, perThreadStream),
		of(ClassOther, "cuStreamBeginCapture_v2", beginsCapture, perThreadStream),
		of(ClassOther, "cuStreamBeginCaptureToGraph", beginsCapture, perThreadStream),
		of(ClassOther, "cuStreamEndCapture", endsCapture, perThreadStream),
		of(ClassOther, "cuGraphInstantiateWithFlags", handle("cuda.graph", 1)),

		of(ClassMemcpy, "cuMemcpy", copies(2, MemcpyDefault), perThreadDefault),
		of(ClassMemcpy, "cuMemcpyAsync", copies(2, MemcpyDefault), stream(3), perThreadStream),
		of(ClassMemcpy, "cuMemcpyHtoD_v2", copies(2, MemcpyHostToDevice), perThreadDefault),
		of(ClassMemcpy, "cuMemcpyDtoH_v2", copies(2, MemcpyDeviceToHost), perThreadDefault),
		of(ClassMemcpy, "cuMemcpyDtoD_v2", copies(2, MemcpyDeviceToDevice), perThreadDefault),
		of(ClassMemcpy, "cuMemcpyHtoDAsync_v2", copies(2, MemcpyHostToDevice), stream(3), perThreadStream),
		of(ClassMemcpy, "cuMemcpyDtoHAsync_v2", copies(2, MemcpyDeviceToHost), stream(3), perThreadStream),
		of(ClassMemcpy, "cuMemcpyDtoDAsync_v2", copies(2, MemcpyDeviceToDevice), stream(3), perThreadStream),
		of(ClassMemcpy, "cuMemcpyPeerAsync", copies(4, MemcpyDeviceToDevice), stream(5), perThreadStream),
		of(ClassMemcpy, "cuMemcpy2DAsync_v2", stream(1), perThreadStream),
		of(ClassMemcpy, "cuMemcpy3DAsync_v2", stream(1), perThreadStream),
		of(ClassMemcpy, "cuMemsetD8_v2", region(0, 2), perThreadDefault),
		of(ClassMemcpy, "cuMemsetD8Async", region(0, 2), stream(3), perThreadStream),
		// Counted in elements of 4 bytes, so without a size.
		of(ClassMemcpy, "cuMemsetD32_v2", address, perThreadDefault),
		of(ClassMemcpy, "cuMemsetD32Async", address, stream(3), perThreadStream),

		of(ClassMemory, "cuMemAlloc_v2", allocates(1)),
		of(ClassMemory, "cuMemAllocAsync", allocates(1), stream(2), perThreadStream),
		of(ClassMemory, "cuMemAllocFromPoolAsync", allocates(1), stream(3), perThreadStream),
		of(ClassMemory, "cuMemAllocManaged", allocates(1)),
		of(ClassMemory, "cuMemAllocPitch_v2", allocates2D(2)),
		of(ClassMemory, "cuMemFree_v2", frees),
		of(ClassMemory, "cuMemFreeAsync", frees, stream(1), perThreadStream),
		// Physical memory, known by its handle; address ranges are not memory.
		of(ClassMemory, "cuMemCreate", allocates(1)),
		of(ClassMemory, "cuMemRelease", frees),
		of(ClassMemory, "cuMemMap", region(0, 1)),
		of(ClassMemory, "cuMemUnmap", region(0, 1)),
		of(ClassMemory, "cuMemSetAccess", region(0, 1)),
		of(ClassMemory, "cuMemAddressReserve", sized(1)),
		of(ClassMemory, "cuMemAddressFree", region(0, 1)),
		// Host memory: not counted as GPU memory.
		of(ClassMemory, "cuMemAllocHost_v2", sized(1)),
		of(ClassMemory, "cuMemHostAlloc", sized(1)),
		of(ClassMemory, "cuMemFreeHost", address),
		of(ClassMemory, "cuMemHostRegister_v2", region(0, 1)),
		of(ClassMemory, "cuMemHostUnregister", address),

		of(ClassModuleLoad, "cuModuleLoad"),
		of(ClassModuleLoad, "cuModuleLoadData"),
		of(ClassModuleLoad, "cuModuleLoadDataEx"),
		of(ClassModuleLoad, "cuModuleLoadFatBinary"),
		of(ClassModuleLoad, "cuModuleUnload"),
		of(ClassModuleLoad, "cuLibraryLoadData"),
		of(ClassModuleLoad, "cuLibraryLoadFromFile"),
		of(ClassModuleLoad, "cuLibraryUnload"),
		of(ClassModuleLoad, "cuLinkComplete"),
		of(ClassModuleLoad, "cuModuleGetFunction", named(2)),
		of(ClassModuleLoad, "cuLibraryGetKernel", named(2)),
		of(ClassModuleLoad, "cuKernelGetFunction", renames(1), handle("cuda.function.handle", 1)),

		of(ClassOther, "cuCtxCreate_v2"),
		of(ClassOther, "cuCtxCreate_v4"),
		of(ClassOther, "cuCtxSetCurrent", context),
		of(ClassOther, "cuDevicePrimaryCtxRetain", integer32("cuda.device.index", 1)),
	}
}
