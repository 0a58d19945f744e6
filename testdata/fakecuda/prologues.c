// SPDX-License-Identifier: Apache-2.0
//
// Functions that begin with exactly the instruction in their name and return 0:
// one of each kind of probe site. The result of f_ret is what the caller had in
// the return register. Elsewhere than on amd64 they are plain functions.
#if defined(__x86_64__)
#define FUNCTION(name, body)                                                    \
	__asm__(".text\n.p2align 5\n.globl " #name "\n.type " #name ", @function\n" \
		#name ":\n.cfi_startproc\n" body ".cfi_endproc\n.size " #name ", . - " #name "\n");
#define ZERO "xor %eax, %eax\nret\n"
#define PUSH_POP ".cfi_adjust_cfa_offset 8\npop %rbp\n.cfi_adjust_cfa_offset -8\n"

__asm__(".local prologue_state\n.comm prologue_state, 4, 4\n");

FUNCTION(f_push, "push %rbp\n" PUSH_POP ZERO)
FUNCTION(f_push_r12, "push %r12\n.cfi_adjust_cfa_offset 8\npop %r12\n.cfi_adjust_cfa_offset -8\n" ZERO)
FUNCTION(f_endbr64, "endbr64\n" ZERO)
FUNCTION(f_endbr64_push, "endbr64\npush %rbp\n" PUSH_POP ZERO)
FUNCTION(f_cmpl, "cmpl $0x321cba00, prologue_state(%rip)\nje 1f\n1:\n" ZERO)
FUNCTION(f_cmpl_long, "cmpl $0x321cba00, prologue_state(%rip)\n.byte 0x0f, 0x85\n.long 0\n" ZERO)
FUNCTION(f_sub, "sub $8, %rsp\n.cfi_adjust_cfa_offset 8\nadd $8, %rsp\n.cfi_adjust_cfa_offset -8\n" ZERO)
FUNCTION(f_sub_nop, "sub $8, %rsp\n.cfi_adjust_cfa_offset 8\nnop\nadd $8, %rsp\n.cfi_adjust_cfa_offset -8\n" ZERO)
FUNCTION(f_nop, "nop\n" ZERO)
FUNCTION(f_nop5, ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n" ZERO)
FUNCTION(f_jmp, "jmp 1f\n1:\n" ZERO)
FUNCTION(f_mov, "mov %rdi, %rax\n" ZERO)
FUNCTION(f_ret, "ret\n")
#else
#define FUNCTION(name) \
	int name(void); \
	int name(void) { return 0; }
FUNCTION(f_push)
FUNCTION(f_push_r12)
FUNCTION(f_endbr64)
FUNCTION(f_endbr64_push)
FUNCTION(f_cmpl)
FUNCTION(f_cmpl_long)
FUNCTION(f_sub)
FUNCTION(f_sub_nop)
FUNCTION(f_nop)
FUNCTION(f_nop5)
FUNCTION(f_jmp)
FUNCTION(f_mov)
FUNCTION(f_ret)
#endif
