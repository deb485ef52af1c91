package valve

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// What is sent while the valve is shut arrives when it opens, and not before; connections stay.
func TestValve(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	arrived := make(chan string, 10)
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buffer := make([]byte, 64)
				for {
					n, err := c.Read(buffer)
					if err != nil {
						return
					}
					arrived <- string(buffer[:n])
					if _, err := c.Write(bytes.ToUpper(buffer[:n])); err != nil {
						return
					}
				}
			}()
		}
	}()
	v, err := New()
	if err != nil {
		t.Fatal(err)
	}
	v.LeadTo(echo.Addr().String())
	c, err := net.Dial("tcp", v.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send := func(text string) {
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	answer := func(want string) {
		t.Helper()
		if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	send("one")
	answer("ONE")
	if got := <-arrived; got != "one" {
		t.Errorf("%q arrived", got)
	}
	v.Shut()
	send("two")
	// Another connection is made and answered by nobody either: when that is certain, "two" has had its time, too.
	other, err := net.Dial("tcp", v.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Write([]byte("three")); err != nil {
		t.Fatal(err)
	}
	if n, err := other.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes pass while it is shut", n)
	}
	select {
	case got := <-arrived:
		t.Errorf("%q arrived while it is shut", got)
	default:
	}
	v.Open()
	answer("TWO")
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlives the valve")
	}
	if _, err := net.Dial("tcp", v.Address()); err == nil {
		t.Error("a closed valve takes connections")
	}
}
