package probesite

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// code joins byte sequences, one per instruction.
func code(insns ...[]byte) []byte {
	var all []byte
	for _, insn := range insns {
		all = append(all, insn...)
	}
	return all
}

func bytesOf(b ...byte) []byte { return b }

// words encodes arm64 instructions.
func words(insns ...uint32) []byte {
	var all []byte
	for _, insn := range insns {
		all = binary.LittleEndian.AppendUint32(all, insn)
	}
	return all
}

var (
	pushRBP    = bytesOf(0x55)
	pushR15    = bytesOf(0x41, 0x57)
	subRSP     = bytesOf(0x48, 0x83, 0xec, 0x18)
	nop5       = bytesOf(0x0f, 0x1f, 0x44, 0x00, 0x00)
	csNOP      = bytesOf(0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0)
	ret        = bytesOf(0xc3)
	cmpGlobal  = bytesOf(0x83, 0x3d, 0x11, 0x22, 0x33, 0x00, 0x01, 0x90)[:7]      // cmpl $1,0x332211(%rip)
	cmpGlobal4 = bytesOf(0x81, 0x3d, 0x44, 0x55, 0x66, 0x00, 0xc2, 0xa1, 0x5d, 0) // cmpl $0x5da1c2,0x665544(%rip)
	je         = bytesOf(0x74, 0x20)
	jeNear     = bytesOf(0x0f, 0x84, 0x00, 0x01, 0x00, 0x00)
	loadTLS    = bytesOf(0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0) // mov %fs:0,%rax
	testEAX    = bytesOf(0x85, 0xc0)
	movRDI     = bytesOf(0x48, 0x89, 0xf7)                   // mov %rsi,%rdi
	movRAX     = bytesOf(0x48, 0x89, 0xf8)                   // mov %rdi,%rax
	storeMem   = bytesOf(0x89, 0x05, 0, 0, 0, 0)             // mov %eax,0(%rip)
	storeCode  = bytesOf(0x48, 0x89, 0x5c, 0x24, 0xe8)       // mov %rbx,-0x18(%rsp)
	jumpReg    = bytesOf(0xff, 0xe0)                         // jmp *%rax
	xchgR8     = bytesOf(0x49, 0x90)                         // xchg %rax,%r8, which ends in 0x90
	lockAdd    = bytesOf(0xf0, 0x83, 0x05, 0, 0, 0, 0, 0x01) // lock addl $1,0(%rip)
)

func TestSelectAMD64(t *testing.T) {
	const emulated, stepped = KindEmulated, KindSingleStepped
	backTo := func(from int, to int) []byte { return bytesOf(0xeb, byte(to-from-2)) }
	tests := map[string]struct {
		code   []byte
		offset uint64
		kind   Kind
	}{
		"libcudart: push":                 {code(pushRBP, subRSP), 0, emulated},
		"push of a high register":         {code(pushR15, subRSP), 0, emulated},
		"libcuda: cmpl then je":           {code(cmpGlobal4, je, ret), 10, emulated},
		"cmpl of a byte then near je":     {code(cmpGlobal, jeNear, ret), 7, emulated},
		"nccl: endbr64 then push":         {code(endbr64, pushRBP), 4, emulated},
		"endbr64, cmpl, je":               {code(endbr64, cmpGlobal4, je), 14, emulated},
		"endbr64 then sub rsp":            {code(endbr64, subRSP, pushRBP), 0, stepped},
		"sub rsp":                         {code(subRSP, nop5), 0, stepped},
		"nop5":                            {code(nop5, ret), 0, emulated},
		"NOP with a cs prefix is no site": {code(csNOP, pushRBP), 10, emulated},
		"jump":                            {bytesOf(0xe9, 1, 2, 3, 4), 0, emulated},
		"call":                            {bytesOf(0xe8, 1, 2, 3, 4), 0, emulated},
		"ret":                             {ret, 0, stepped},
		"thread-local load, test, je":     {code(loadTLS, testEAX, je), 11, emulated},
		"argument copied":                 {code(movRAX, pushRBP), 3, emulated},
		"argument overwritten":            {code(movRDI, pushRBP), 0, stepped},
		"memory write":                    {code(storeMem, pushRBP), 0, stepped},
		"write below the stack pointer":   {code(storeCode, pushRBP), 0, stepped},
		"indirect jump":                   {code(jumpReg, pushRBP), 0, stepped},
		"xchg is not NOP":                 {code(xchgR8, pushRBP), 0, stepped},
		"too many steps":                  {code(testEAX, testEAX, testEAX, testEAX, testEAX, testEAX, testEAX, pushRBP), 0, stepped},
		"as many steps as allowed":        {code(testEAX, testEAX, testEAX, testEAX, testEAX, testEAX, pushRBP), 12, emulated},
		"nothing after the steps":         {endbr64, 0, stepped},
		"cut in the second instruction":   {code(endbr64, pushR15[:1]), 0, stepped},
		"loop to the site":                {code(endbr64, pushRBP, nop5, backTo(10, 4)), 0, stepped},
		"loop to the entry":               {code(endbr64, pushRBP, nop5, backTo(10, 0)), 4, emulated},
		"loop behind the site":            {code(endbr64, pushRBP, nop5, backTo(10, 5)), 4, emulated},
		"loop behind undecodable bytes":   {code(endbr64, pushRBP, bytesOf(0x06), backTo(6, 4)), 0, stepped},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			site, err := Select("amd64", test.code, 0x1000, Options{})
			require.NoError(t, err)
			assert.Equal(t, test.offset, site.Offset, site.Reason)
			assert.Equal(t, test.kind, site.Kind)
			assert.True(t, site.ReturnOK)
			assert.NotEmpty(t, site.Insn)
			assert.NotEmpty(t, site.Reason)
		})
	}
}

func TestSelectRefusesAMD64(t *testing.T) {
	tests := map[string]struct {
		code []byte
		err  error
	}{
		"no code":             {nil, ErrNoInstruction},
		"truncated":           {cmpGlobal4[:6], ErrNoInstruction},
		"garbage":             {bytesOf(0x06, 0x06), ErrNoInstruction},
		"breakpoint":          {bytesOf(0xcc), ErrUnprobeable},
		"halt":                {bytesOf(0xf4), ErrUnprobeable},
		"lock":                {lockAdd, ErrUnprobeable},
		"nothing but a csNOP": {csNOP, ErrUnprobeable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Select("amd64", test.code, 0, Options{AllowSingleStep: true})
			assert.ErrorIs(t, err, test.err)
		})
	}
}

func TestSelectOnOldLinuxStepsOverLongNOP(t *testing.T) {
	old := Options{SingleStepsLongNOP: true}
	site, err := Select("amd64", code(nop5, pushRBP), 0, old)
	require.NoError(t, err)
	assert.EqualValues(t, 5, site.Offset)
	site, err = Select("amd64", bytesOf(0x66, 0x90), 0, old)
	require.NoError(t, err)
	assert.Equal(t, KindEmulated, site.Kind)
	_, err = Select("arm64", words(armNOP, armSTP), 0, old)
	assert.ErrorIs(t, err, ErrSingleStepRefused)
}

const (
	armNOP      = 0xd503201f
	armBTIc     = 0xd503245f
	armPACIASP  = 0xd503233f
	armSTP      = 0xa9bf7bfd // stp x29, x30, [sp, #-16]!
	armADRPx16  = 0xb0000010
	armRET      = 0xd65f03c0
	armB8       = 0x14000002 // b .+8
	armBack4    = 0x17ffffff // b .-4
	armCBZx0    = 0xb4000040 // cbz x0, .+8
	armCMPw0    = 0x7100041f // cmp w0, #1
	armLDRx8    = 0xf9400008 // ldr x8, [x0]
	armLDRx1    = 0xf9400001 // ldr x1, [x0]
	armLDRlit   = 0x58000049 // ldr x9, .+8
	armMOVx9LR  = 0xaa1e03e9 // mov x9, x30
	armBL       = 0x94000010
	armSUBsp    = 0xd10083ff // sub sp, sp, #32
	armMOVx9sp  = 0x910003e9 // mov x9, sp
	armMOVZw9   = 0x52800029 // mov w9, #1
	armSTRx8    = 0xf9000008 // str x8, [x0]
	armTLSx16   = 0xd53bd050 // mrs x16, tpidr_el0
	armTBNZback = 0x3707ffe0 // tbnz w0, #0, .-4
)

func TestSelectARM64(t *testing.T) {
	tests := map[string]struct {
		code   []byte
		offset uint64
		err    error
	}{
		"nop":                         {words(armNOP, armSTP), 0, nil},
		"bti, adrp":                   {words(armBTIc, armADRPx16), 4, nil},
		"adrp":                        {words(armADRPx16), 0, nil},
		"ret":                         {words(armRET), 0, nil},
		"branch":                      {words(armB8), 0, nil},
		"cbz":                         {words(armCBZx0), 0, nil},
		"cmp, load, constant, cbz":    {words(armCMPw0, armLDRx8, armMOVZw9, armTLSx16, armCBZx0), 16, nil},
		"stp":                         {words(armSTP, armADRPx16), 0, ErrSingleStepRefused},
		"paciasp signs the address":   {words(armPACIASP, armADRPx16), 0, ErrSingleStepRefused},
		"bti, paciasp":                {words(armBTIc, armPACIASP, armADRPx16), 0, ErrSingleStepRefused},
		"sub sp":                      {words(armSUBsp, armADRPx16), 0, ErrSingleStepRefused},
		"stack pointer copied":        {words(armMOVx9sp, armADRPx16), 0, ErrSingleStepRefused},
		"return address copied":       {words(armMOVx9LR, armBL), 0, ErrSingleStepRefused},
		"argument overwritten":        {words(armLDRx1, armADRPx16), 0, ErrSingleStepRefused},
		"memory write":                {words(armSTRx8, armADRPx16), 0, ErrSingleStepRefused},
		"loop to the site":            {words(armBTIc, armADRPx16, armBack4), 0, ErrSingleStepRefused},
		"conditional loop":            {words(armBTIc, armCBZx0, armTBNZback), 0, ErrSingleStepRefused},
		"load relative to the PC":     {words(armLDRlit), 0, ErrUnprobeable},
		"truncated":                   {words(armNOP)[:3], 0, ErrNoInstruction},
		"padding":                     {words(0), 0, ErrNoInstruction},
		"nothing but neutral: no run": {words(armBTIc), 0, ErrSingleStepRefused},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			site, err := Select("arm64", test.code, 0x1000, Options{})
			require.ErrorIs(t, err, test.err)
			if test.err != nil {
				return
			}
			assert.Equal(t, test.offset, site.Offset)
			assert.Equal(t, KindEmulated, site.Kind)
			assert.True(t, site.ReturnOK)
		})
	}
}

func TestSelectARM64SingleStepsWhenAllowed(t *testing.T) {
	site, err := Select("arm64", words(armPACIASP, armSTP), 0, Options{AllowSingleStep: true})
	require.NoError(t, err)
	assert.Equal(t, Site{Kind: KindSingleStepped, ReturnOK: true, Insn: site.Insn, Reason: site.Reason}, site)
}

func TestSelectOtherMachine(t *testing.T) {
	_, err := Select("riscv64", nop5, 0, Options{})
	assert.ErrorIs(t, err, ErrArch)
}

func FuzzSelect(f *testing.F) {
	f.Add(code(endbr64, pushRBP, nop5), false)
	f.Add(code(cmpGlobal4, je, ret), true)
	f.Add(words(armBTIc, armADRPx16), false)
	f.Add(words(armPACIASP, armSTP), true)
	f.Fuzz(func(t *testing.T, code []byte, allow bool) {
		for _, arch := range []string{"amd64", "arm64"} {
			site, err := Select(arch, code, 0x400000, Options{AllowSingleStep: allow})
			if err != nil {
				continue
			}
			if site.Offset >= uint64(len(code)) {
				t.Fatalf("%s: site %d beyond %d bytes of code", arch, site.Offset, len(code))
			}
			if site.Kind == KindSingleStepped && site.Offset != 0 {
				t.Fatalf("%s: single-stepped behind the entry", arch)
			}
			set, _ := instructionSetOf(arch, Options{})
			for at := 0; at < int(site.Offset); {
				insn := set.decode(code[at:])
				if !insn.neutral || insn.length == 0 {
					t.Fatalf("%s: stepped over % x", arch, code[at:])
				}
				at += insn.length
			}
		}
	})
}
