/* SPDX-License-Identifier: Apache-2.0
 *
 * Entry points whose first instructions are those of the real libraries.
 *
 * On amd64 every exported function is a few instructions of assembly that
 * leave registers and stack as they found them and then jump to the C function
 * IMPL(name). Elsewhere IMPL(name) is the exported function itself.
 *
 * The kinds of the .def rows:
 *   CMPL_JE, CMPL_JNE   cmpl $imm, mem(%rip); je/jne   (390 of 400 in libcuda)
 *   ENDBR64_PUSH        endbr64; push %rbp             (libnccl)
 *   ENDBR64_PUSH_RBX, ENDBR64_PUSH_R12, ENDBR64_TEST   (libnccl: endbr64; push %rbx | push %r12 | test %edi, %edi)
 *   SUB                 sub $8, %rsp
 *   PUSH                push %rbx                      (libcudart)
 */
#ifndef FAKECUDA_ENTRY_H
#define FAKECUDA_ENTRY_H

#include "fakecuda.h"

#if defined(__x86_64__)
#define IMPL(name) name##_impl
#define DECLARE_IMPL(name) extern __typeof__(name) name##_impl __attribute__((visibility("hidden")));

#ifdef FAKECUDA_STATIC
#define ENTRY_SCOPE(name) ".hidden " #name "\n"
#else
#define ENTRY_SCOPE(name) ""
#endif

/* How the symbol is bound; nccl.h has its own way. */
#ifndef ENTRY_BINDING
#define ENTRY_BINDING(name) ".globl " #name "\n" ENTRY_SCOPE(name)
#endif

#define ENTRY(name, body)                                                      \
	__asm__(".text\n.p2align 4\n" ENTRY_BINDING(name)                      \
		".type " #name ", @function\n" #name ":\n.cfi_startproc\n"      \
		body "jmp " #name "_impl\n.cfi_endproc\n"                       \
		".size " #name ", . - " #name "\n");

#define ENTRY_CMPL_JE(name) ENTRY(name, "cmpl $0x321cba00, fakecuda_state(%rip)\nje 1f\nnop\n1:\n")
#define ENTRY_CMPL_JNE(name) ENTRY(name, "cmpl $0x321cba00, fakecuda_state(%rip)\njne 1f\nnop\n1:\n")
#define ENTRY_PUSH_POP(name, before, reg) ENTRY(name, before "push " reg "\n.cfi_adjust_cfa_offset 8\npop " reg "\n.cfi_adjust_cfa_offset -8\n")
#define ENTRY_ENDBR64_PUSH(name) ENTRY_PUSH_POP(name, "endbr64\n", "%rbp")
#define ENTRY_ENDBR64_PUSH_RBX(name) ENTRY_PUSH_POP(name, "endbr64\n", "%rbx")
#define ENTRY_ENDBR64_PUSH_R12(name) ENTRY_PUSH_POP(name, "endbr64\n", "%r12")
#define ENTRY_ENDBR64_TEST(name) ENTRY(name, "endbr64\ntest %edi, %edi\n")
#define ENTRY_SUB(name) ENTRY(name, "sub $8, %rsp\n.cfi_adjust_cfa_offset 8\nadd $8, %rsp\n.cfi_adjust_cfa_offset -8\n")
#define ENTRY_PUSH(name) ENTRY_PUSH_POP(name, "", "%rbx")
#else
#define IMPL(name) name
#define DECLARE_IMPL(name)
#define ENTRY_CMPL_JE(name)
#define ENTRY_CMPL_JNE(name)
#define ENTRY_ENDBR64_PUSH(name)
#define ENTRY_ENDBR64_PUSH_RBX(name)
#define ENTRY_ENDBR64_PUSH_R12(name)
#define ENTRY_ENDBR64_TEST(name)
#define ENTRY_SUB(name)
#define ENTRY_PUSH(name)
#endif

#endif
