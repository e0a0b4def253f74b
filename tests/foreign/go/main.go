// shelf.v1.Shelf on grpc-go, whose reflection hands out the HTTP rules of shelf.proto.
//
// foreign DESCRIPTORS IP:PORT, where the file is an encoded FileDescriptorSet and port 0 is any that is free.
// Prints `listening PORT` and serves until it is killed.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	_ "google.golang.org/protobuf/types/known/timestamppb" // The registry must have it.
)

func main() {
	shelf, err := load(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(newService(shelf).description(), nil)
	healthpb.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(server.Serve(listener))
}

// load puts the files that generated code has not brought into its registry, and returns shelf.proto.
func load(path string) (protoreflect.FileDescriptor, error) {
	encoded, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var files descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(encoded, &files); err != nil {
		return nil, err
	}
	for _, file := range files.File {
		if _, err := protoregistry.GlobalFiles.FindFileByPath(file.GetName()); err == nil {
			continue
		}
		descriptor, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
		if err != nil {
			return nil, err
		}
		if err := protoregistry.GlobalFiles.RegisterFile(descriptor); err != nil {
			return nil, err
		}
	}
	return protoregistry.GlobalFiles.FindFileByPath("shelf.proto")
}

type service struct {
	file protoreflect.FileDescriptor
	// How many calls of Wait have begun and ended; `changed` is closed and made anew at each change.
	lock         sync.Mutex
	changed      chan struct{}
	begun, ended int64
}

func newService(file protoreflect.FileDescriptor) *service {
	return &service{file: file, changed: make(chan struct{})}
}

func (s *service) description() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "shelf.v1.Shelf",
		HandlerType: (*any)(nil),
		Metadata:    s.file.Path(),
		Methods: []grpc.MethodDesc{
			s.unary("GetBook", "GetBookRequest", s.getBook),
			s.unary("CreateBook", "CreateBookRequest", s.createBook),
			s.unary("Wait", "WaitRequest", s.wait),
			s.unary("AwaitCalls", "Calls", s.awaitCalls),
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "ListBooks", ServerStreams: true, Handler: s.listBooks},
			{StreamName: "AddBooks", ClientStreams: true, Handler: s.addBooks},
		},
	}
}

func (s *service) unary(name string, request protoreflect.Name, call func(context.Context, message) (message, error)) grpc.MethodDesc {
	handler := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := s.message(request)
		if err := decode(in.Message); err != nil {
			return nil, err
		}
		out, err := call(ctx, in)
		return out.Message, err
	}
	return grpc.MethodDesc{MethodName: name, Handler: handler}
}

func (s *service) getBook(_ context.Context, request message) (message, error) {
	name := request.field("name").String()
	if strings.HasSuffix(name, "/none") {
		missing := &errdetails.ErrorInfo{
			Reason: "BOOK_MISSING", Domain: "shelf.example", Metadata: map[string]string{"name": name},
		}
		refused, err := status.New(codes.NotFound, "there is no such book").WithDetails(missing)
		if err != nil {
			return message{}, err
		}
		return message{}, refused.Err()
	}
	book := s.message("Book")
	book.setText("name", name)
	book.setText("title", "Emma")
	book.set("copies", protoreflect.ValueOfInt64(1<<53+1))
	book.set("genre", protoreflect.ValueOfEnum(1))
	tags := request.field("tags").List()
	for index := range tags.Len() {
		book.Mutable(book.descriptor("tags")).List().Append(tags.Get(index))
	}
	if request.has("printed") {
		book.set("printed", request.field("printed"))
	}
	return book, nil
}

func (s *service) createBook(_ context.Context, request message) (message, error) {
	book := message{request.field("book").Message().Interface().(*dynamicpb.Message)}
	book.setText("name", fmt.Sprintf("%s/books/%s", request.field("parent"), request.field("book_id")))
	return book, nil
}

func (s *service) listBooks(_ any, stream grpc.ServerStream) error {
	request := s.message("ListBooksRequest")
	if err := stream.RecvMsg(request.Message); err != nil {
		return err
	}
	for number := range request.field("count").Int() {
		book := s.message("Book")
		book.setText("name", fmt.Sprintf("%s/books/%d", request.field("parent"), number))
		if err := stream.SendMsg(book.Message); err != nil {
			return err
		}
	}
	if request.field("fails").Bool() {
		return status.Error(codes.Aborted, "the shelf fell")
	}
	return nil
}

func (s *service) addBooks(_ any, stream grpc.ServerStream) error {
	added := s.message("AddBooksResponse")
	titles := added.Mutable(added.descriptor("titles")).List()
	for {
		book := s.message("Book")
		switch err := stream.RecvMsg(book.Message); err {
		case nil:
			titles.Append(book.field("title"))
		case io.EOF:
			added.set("count", protoreflect.ValueOfInt32(int32(titles.Len())))
			return stream.SendMsg(added.Message)
		default:
			return err
		}
	}
}

func (s *service) wait(ctx context.Context, _ message) (message, error) {
	s.change(func() { s.begun++ })
	<-ctx.Done()
	s.change(func() { s.ended++ })
	return message{}, status.FromContextError(ctx.Err()).Err()
}

func (s *service) awaitCalls(ctx context.Context, request message) (message, error) {
	for {
		s.lock.Lock()
		begun, ended, changed := s.begun, s.ended, s.changed
		s.lock.Unlock()
		if begun >= request.field("begun").Int() && ended >= request.field("ended").Int() {
			calls := s.message("Calls")
			calls.set("begun", protoreflect.ValueOfInt32(int32(begun)))
			calls.set("ended", protoreflect.ValueOfInt32(int32(ended)))
			return calls, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return message{}, status.FromContextError(ctx.Err()).Err()
		}
	}
}

func (s *service) change(change func()) {
	s.lock.Lock()
	defer s.lock.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *service) message(name protoreflect.Name) message {
	return message{dynamicpb.NewMessage(s.file.Messages().ByName(name))}
}

// message is one whose fields are named.
type message struct{ *dynamicpb.Message }

func (m message) descriptor(name string) protoreflect.FieldDescriptor {
	return m.Descriptor().Fields().ByName(protoreflect.Name(name))
}

func (m message) field(name string) protoreflect.Value { return m.Get(m.descriptor(name)) }

func (m message) has(name string) bool { return m.Has(m.descriptor(name)) }

func (m message) set(name string, value protoreflect.Value) { m.Set(m.descriptor(name), value) }

func (m message) setText(name, text string) { m.set(name, protoreflect.ValueOfString(text)) }
