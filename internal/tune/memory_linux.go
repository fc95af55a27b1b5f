package tune

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
)

// availableMemory is what a new process can use without swapping, in bytes: MemAvailable, or what the control group leaves
// when that is less. 0 when it cannot be told.
func availableMemory() int64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	free := memAvailable(b)
	if limit, used, ok := groupMemory("/sys/fs/cgroup"); ok {
		free = min(free, max(limit-used, 0))
	}
	return free
}

// trainingBytes is the size of a weight in the type that the worker trains in: bfloat16 where the CPU multiplies it natively.
func trainingBytes() int64 {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err == nil && (bytes.Contains(b, []byte(" avx512_bf16")) || bytes.Contains(b, []byte(" amx_bf16"))) {
		return 2
	}
	return 4
}

func memAvailable(meminfo []byte) int64 {
	lines := bufio.NewScanner(bytes.NewReader(meminfo))
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:")
		if !ok {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
		if err != nil {
			return 0
		}
		return kb << 10
	}
	return 0
}

// groupMemory is the limit and the use of a control group (version 2), when it has a limit.
func groupMemory(dir string) (limit, used int64, ok bool) {
	limit, ok = number(dir + "/memory.max")
	if !ok {
		return 0, 0, false
	}
	used, ok = number(dir + "/memory.current")
	return limit, used, ok
}

func number(path string) (int64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64) // "max" is no limit
	return n, err == nil
}
