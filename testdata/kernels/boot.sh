#!/usr/bin/env bash
# boot.sh ARCH VMLINUZ INITRAMFS SECONDS: boots a virtual machine without KVM,
# for at most that long; its console is standard output.
set -euo pipefail

usage='usage: boot.sh ARCH VMLINUZ INITRAMFS SECONDS'
arch=${1:?$usage} vmlinuz=${2:?$usage} initramfs=${3:?$usage} seconds=${4:?$usage}
options=(-smp 2 -m 2048 -nodefaults -display none -serial stdio -no-reboot -kernel "$vmlinuz" -initrd "$initramfs")
arguments='quiet panic=-1 rdinit=/init mitigations=off rcupdate.rcu_expedited=1'

case $arch in
amd64)
	exec timeout "$seconds" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max "${options[@]}" \
		-append "console=ttyS0 tsc=reliable $arguments" </dev/null
	;;
arm64)
	exec timeout "$seconds" qemu-system-aarch64 -machine virt -accel tcg,thread=multi -cpu cortex-a72 "${options[@]}" \
		-append "console=ttyAMA0 $arguments" </dev/null
	;;
esac
