// A gateway of Vanguard for any descriptor set: REST in, gRPC out over HTTP/2 in clear.
package main

import (
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"connectrpc.com/vanguard"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	// The options of HTTP rules are read by their generated types.
	_ "google.golang.org/genproto/googleapis/api/annotations"
)

func main() {
	listen := flag.String("listen", "", "address")
	upstream := flag.String("upstream", "", "address of the gRPC server")
	descriptors := flag.String("descriptors", "", "encoded FileDescriptorSet")
	flag.Parse()

	bytes, err := os.ReadFile(*descriptors)
	if err != nil {
		log.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(bytes, set); err != nil {
		log.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		log.Fatal(err)
	}

	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: *upstream})
	proxy.Transport = &http.Transport{Protocols: protocols}
	proxy.FlushInterval = -1

	types := dynamicpb.NewTypes(files)
	var services []*vanguard.Service
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := 0; i < file.Services().Len(); i++ {
			services = append(services, vanguard.NewServiceWithSchema(
				file.Services().Get(i), proxy,
				vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
				vanguard.WithTargetCodecs(vanguard.CodecProto),
				vanguard.WithNoTargetCompression(),
				vanguard.WithTypeResolver(types),
			))
		}
		return true
	})
	transcoder, err := vanguard.NewTranscoder(services)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*listen, transcoder))
}
