// A gateway of grpc-gateway's own making for the order service: its generated handlers, its defaults, nothing else.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"millrace/peers/orders"
)

func main() {
	listen := flag.String("listen", "", "address")
	upstream := flag.String("upstream", "", "address of the gRPC server")
	flag.Parse()
	mux := runtime.NewServeMux()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if err := orders.RegisterOrdersServiceHandlerFromEndpoint(context.Background(), mux, *upstream, options); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*listen, mux))
}
