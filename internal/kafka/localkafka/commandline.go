package localkafka

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// commandLine returns the command of a process with spaces between its arguments, or "" when it cannot be read.
func commandLine(pid int) string {
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		return strings.ReplaceAll(string(b), "\x00", " ")
	}
	out, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return string(out)
}
