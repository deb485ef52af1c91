package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// importRoot is a directory that import statements are resolved against, with
// the glob patterns of the schemas below it. A pattern that matches nothing is
// no error.
type importRoot struct {
	dir      string
	patterns []string
	codec    bool // with Marshal and Unmarshal methods that use no reflection
}

// importRoots lists every schema of the repository.
var importRoots = []importRoot{
	{dir: "legacyproto", patterns: []string{"*.proto", "intake/*.proto"}},
	{dir: "slim", patterns: []string{"vibev1/*.proto"}},
	{dir: "mapping", patterns: []string{"statepb/*.proto"}, codec: true},
	{dir: "compare", patterns: []string{"rowpb/*.proto", "live/livepb/*.proto"}},
}

const generatedSuffix = ".pb.go"

// sourceFile is a file of the repository. Its path is relative to the
// repository and slash-separated.
type sourceFile struct {
	path    string
	content []byte
}

// generate returns the Go files of all schemas below repo, sorted by path. It
// writes nothing.
func generate(ctx context.Context, repo string) ([]sourceFile, error) {
	var all []sourceFile
	for _, root := range importRoots {
		files, err := root.generate(ctx, repo)
		if err != nil {
			return nil, fmt.Errorf("generate from %s: %w", root.dir, err)
		}
		all = append(all, files...)
	}
	slices.SortFunc(all, func(a, b sourceFile) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

func (r importRoot) generate(ctx context.Context, repo string) ([]sourceFile, error) {
	schemas, err := r.match(repo, ".proto")
	if err != nil || len(schemas) == 0 {
		return nil, err
	}
	request, err := r.compile(ctx, repo, schemas)
	if err != nil {
		return nil, err
	}
	files, err := r.files(ctx, repo, protocGenGo, request)
	if err != nil || !r.codec {
		return files, err
	}
	request.Parameter = proto.String(request.GetParameter() + "," + codecFeatures)
	codec, err := r.files(ctx, repo, protocGenGoVtproto, request)
	return append(files, codec...), err
}

// codecFeatures: marshal writes fields in the order in which the protobuf library writes them; the unsafe variant
// leaves strings where they are in the bytes that are read.
const codecFeatures = "features=marshal+size+unmarshal+unmarshal_unsafe"

// The generators, of the module versions that go.mod pins, so that generator and runtime library never drift apart.
const (
	protocGenGo        = "google.golang.org/protobuf/cmd/protoc-gen-go"
	protocGenGoVtproto = "github.com/planetscale/vtprotobuf/cmd/protoc-gen-go-vtproto"
)

func (r importRoot) files(ctx context.Context, repo, plugin string, request *pluginpb.CodeGeneratorRequest) ([]sourceFile, error) {
	response, err := runPlugin(ctx, repo, plugin, request)
	if err != nil {
		return nil, err
	}
	files := make([]sourceFile, 0, len(response.GetFile()))
	for _, f := range response.GetFile() {
		files = append(files, sourceFile{path: path.Join(r.dir, f.GetName()), content: []byte(f.GetContent())})
	}
	return files, nil
}

// match returns the files below the root whose directory is one of a pattern's
// and whose name ends in suffix: slash-separated, relative to the root, sorted.
func (r importRoot) match(repo, suffix string) ([]string, error) {
	var names []string
	for _, pattern := range r.patterns {
		pattern = strings.TrimSuffix(pattern, ".proto") + suffix
		found, err := fs.Glob(os.DirFS(filepath.Join(repo, r.dir)), pattern)
		if err != nil {
			return nil, fmt.Errorf("match %s: %w", pattern, err)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return names, nil
}

func (r importRoot) compile(ctx context.Context, repo string, schemas []string) (*pluginpb.CodeGeneratorRequest, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
			ImportPaths: []string{filepath.Join(repo, r.dir)},
		}),
		SourceInfoMode: protocompile.SourceInfoStandard, // carries the comments
	}
	files, err := compiler.Compile(ctx, schemas...)
	if err != nil {
		return nil, err
	}
	return &pluginpb.CodeGeneratorRequest{
		FileToGenerate: schemas,
		Parameter:      proto.String("paths=source_relative"),
		ProtoFile:      withImports(files),
	}, nil
}

// withImports returns the files and everything they import, a file always
// after its imports, as plugins demand.
func withImports(files linker.Files) []*descriptorpb.FileDescriptorProto {
	var ordered []*descriptorpb.FileDescriptorProto
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		imports := file.Imports()
		for i := range imports.Len() {
			add(imports.Get(i).FileDescriptor)
		}
		ordered = append(ordered, protoutil.ProtoFromFileDescriptor(file))
	}
	for _, file := range files {
		add(file)
	}
	return ordered
}

// runPlugin runs a generator and returns its answer.
func runPlugin(ctx context.Context, repo, plugin string, request *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	input, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encode the request to %s: %w", path.Base(plugin), err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "run", plugin)
	cmd.Dir = repo
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stdout = &stdout
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run %s: %w: %s", path.Base(plugin), err, strings.TrimSpace(stderr.String()))
	}
	response := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(stdout.Bytes(), response); err != nil {
		return nil, fmt.Errorf("decode the answer of %s: %w", path.Base(plugin), err)
	}
	if response.Error != nil {
		return nil, errors.New(path.Base(plugin) + ": " + response.GetError())
	}
	return response, nil
}
