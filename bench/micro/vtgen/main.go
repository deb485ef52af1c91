// Command vtgen writes the code of vtorder/order.proto with vtprotobuf's, twice: vtorder
// as it is, and vtorder/pooled with pools of messages, which is another schema to the
// protobuf runtime. Run it in bench/micro.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const (
	plain  = "features=unmarshal+unmarshal_unsafe"
	pooled = "features=unmarshal+unmarshal_unsafe+pool"
)

func main() {
	schema, err := os.ReadFile("vtorder/order.proto")
	if err == nil {
		err = generate("vtorder", string(schema), plain)
	}
	if err == nil {
		err = generate("vtorder/pooled", strings.NewReplacer(
			"package vibebridge.bench.vtorder;", "package vibebridge.bench.vtorder.pooled;",
			"bench/micro/vtorder;vtorder", "bench/micro/vtorder/pooled;pooled",
		).Replace(string(schema)), pooled+pools("Order", "Order_Settings", "Order_Settings_Customer", "Order_Ticket", "Order_Ticket_Seat"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "vtgen:", err)
		os.Exit(1)
	}
}

func pools(messages ...string) string {
	var b strings.Builder
	for _, m := range messages {
		b.WriteString(",pool=github.com/ticketscloud/vibe-bridge/bench/micro/vtorder/pooled." + m)
	}
	return b.String()
}

func generate(dir, schema, features string) error {
	name := dir + "/order.proto"
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(map[string]string{name: schema}),
	}}
	files, err := compiler.Compile(context.Background(), name)
	if err != nil {
		return err
	}
	for plugin, parameter := range map[string]string{
		"google.golang.org/protobuf/cmd/protoc-gen-go":                "paths=source_relative",
		"github.com/planetscale/vtprotobuf/cmd/protoc-gen-go-vtproto": "paths=source_relative," + features,
	} {
		err := run(plugin, &pluginpb.CodeGeneratorRequest{
			FileToGenerate: []string{name},
			Parameter:      proto.String(parameter),
			ProtoFile:      []*descriptorpb.FileDescriptorProto{protoutil.ProtoFromFileDescriptor(files[0])},
		})
		if err != nil {
			return fmt.Errorf("%s: %w", plugin, err)
		}
	}
	return nil
}

func run(plugin string, request *pluginpb.CodeGeneratorRequest) error {
	input, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "run", "-mod=mod", plugin)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return err
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(output, &response); err != nil {
		return err
	}
	if response.Error != nil {
		return fmt.Errorf("%s", response.GetError())
	}
	for _, f := range response.GetFile() {
		if err := os.MkdirAll(filepath.Dir(f.GetName()), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(f.GetName(), []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
