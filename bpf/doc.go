// Package bpf holds the BPF programs (C) and their generated Go bindings; it
// contains no logic. The objects are committed, so that users need no clang.
package bpf

//go:generate go tool -modfile=../internal/tools/go.mod bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -cflags "-O2 -g -mcpu=v2 -Wall -Wextra -Werror -Iinclude" -type record_kind -type notable -type off_cpu_reason -type off_cpu_flag -type waker_context -type process_change -type counter -type slot_state -type ledger_state -type cycle_end -type cycle_record -type ledger -type task_ref -type histogram -type call_record -type off_cpu_record -type process_record -type function_name_record -type call_series -type thread_stats -type process -type error_key -type function_key -type function_slot_key -type pointer_key -type task_entry -type mapping_entry Gpucause gpucause.bpf.c
