package probe

// ncclRows are the functions of NCCL (nccl.h 2.30), with argument positions as
// slots, for the calling convention of arch (GOARCH).
func ncclRows(arch string) []row {
	of := func(class Class, symbol string, options ...option) row {
		return newRow(LayerNCCL, class, symbol, append(options, accepted))
	}
	collective := func(symbol string, options ...option) row {
		return of(ClassCollective, symbol, append(options, plays(RoleCollective))...)
	}
	rows := []row{
		collective("ncclAllReduce", elements(2), reduces(4), on(5)),
		collective("ncclReduceScatter", elements(2), reduces(4), on(5)),
		collective("ncclReduce", elements(2), reduces(4), rooted(5), on(6)),
		collective("ncclBroadcast", elements(2), rooted(4), on(5)),
		collective("ncclGather", elements(2), rooted(4), on(5)),
		collective("ncclScatter", elements(2), rooted(4), on(5)),
		// Calls ncclBroadcast, which is nested and not another operation.
		collective("ncclBcast", elements(1), rooted(3), on(4)),
		collective("ncclAllGather", elements(2), on(4)),
		collective("ncclAlltoAll", elements(2), on(4)),
		of(ClassCollective, "ncclSend", elements(1), with(3), on(4), plays(RoleSends)),
		of(ClassCollective, "ncclRecv", elements(1), with(3), on(4), plays(RoleReceives)),
		of(ClassCollective, "ncclGroupStart", plays(RoleGroupStart)),
		of(ClassCollective, "ncclGroupEnd", plays(RoleGroupEnd)),

		of(ClassOther, "ncclCommInitRankScalable", makes(RoleBegins, Communicator{NoSlot, 0, 1, 2, 4, NoSlot, NoSlot})),
		of(ClassOther, "ncclCommInitAll", makes(RoleBeginsAll, Communicator{NoSlot, 0, 1, NoSlot, NoSlot, 1, NoSlot}), onDevices(2)),
		of(ClassOther, "ncclCommSplit", makes(RoleDerives, Communicator{0, 3, NoSlot, NoSlot, NoSlot, NoSlot, 1})),
		of(ClassOther, "ncclCommShrink", makes(RoleDerives, Communicator{0, 3, NoSlot, NoSlot, 1, 2, NoSlot}), cutsBy(5)),
		of(ClassOther, "ncclCommGrow", makes(RoleDerives, Communicator{0, 4, 1, 3, 2, NoSlot, NoSlot})),
		of(ClassOther, "ncclCommDestroy", ends(RoleEnds)),
		of(ClassOther, "ncclCommAbort", ends(RoleAborts)),
		of(ClassOther, "ncclCommFinalize"),
		of(ClassOther, "ncclCommRevoke", ends(RoleCuts)),
		of(ClassOther, "ncclCommCount", makes(RoleTells, Communicator{0, 1, 1, NoSlot, NoSlot, NoSlot, NoSlot})),
		of(ClassOther, "ncclCommUserRank", makes(RoleTells, Communicator{0, 1, NoSlot, 1, NoSlot, NoSlot, NoSlot})),
	}
	for _, symbol := range []string{"ncclCommInitRank", "ncclCommInitRankConfig"} {
		rows = append(rows, of(ClassOther, symbol, makes(RoleBegins, uniqueIDByValue(arch))))
	}
	return rows
}

// uniqueIDByValue is where (comm*, nranks, ncclUniqueId, rank) are: the 128 bytes
// of the id are in memory. On amd64 that is the stack, without a register, and
// rank is the third; on arm64 the third register points to a copy.
func uniqueIDByValue(arch string) Communicator {
	if arch == "arm64" {
		return Communicator{NoSlot, 0, 1, 3, 2, NoSlot, NoSlot}
	}
	return Communicator{NoSlot, 0, 1, 2, NoSlot, NoSlot, NoSlot}
}

// plays: what the function does to communicators.
func plays(role Role) option { return func(r *row) { r.probe.Role = role } }

// makes: the function makes a communicator, or tells of one.
func makes(role Role, c Communicator) option {
	return func(r *row) { r.probe.Role, r.probe.Communicator = role, c }
}

// ends: the function ends the communicator in slot 0, or what is open on it.
func ends(role Role) option {
	return func(r *row) { r.probe.Role, r.probe.Communicator.Handle = role, 0 }
}

// onDevices: the GPUs of the communicators that it makes.
func onDevices(slot uint8) option { return func(r *row) { r.probe.DevicesSlot = slot } }

// cutsBy: flags say whether it ends what is open on the communicator, too.
func cutsBy(slot uint8) option { return func(r *row) { r.probe.CutSlot = slot } }

// elements: so many, of the type in the slot after.
func elements(slot uint8) option {
	return func(r *row) {
		r.probe.Operation.Count, r.probe.Operation.Datatype = slot, slot+1
		integer("nccl.count", slot)(r)
		r.show(Arg{Key: "nccl.datatype", Slot: slot + 1, Bits: 32, Type: TypeDatatype})
	}
}

func reduces(slot uint8) option {
	return func(r *row) {
		r.probe.Operation.Reduction = slot
		r.show(Arg{Key: "nccl.reduction", Slot: slot, Bits: 32, Type: TypeReduction})
	}
}

func rooted(slot uint8) option {
	return func(r *row) {
		r.probe.Operation.Root = slot
		integer32("nccl.root", slot)(r)
	}
}

// with: the rank of the other side.
func with(slot uint8) option {
	return func(r *row) {
		r.probe.Operation.Peer = slot
		integer32("nccl.peer", slot)(r)
	}
}

// on: the communicator, and the GPU stream after it.
func on(slot uint8) option {
	return func(r *row) {
		r.probe.Communicator.Handle, r.probe.StreamSlot = slot, slot+1
		stream(slot + 1)(r)
	}
}

// accepted: "in progress" is the answer of a non-blocking communicator and no error.
func accepted(r *row) { r.probe.Benign = resultInProgress }
