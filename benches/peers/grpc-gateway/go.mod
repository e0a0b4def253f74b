module millrace/peers

go 1.25.0

require (
	github.com/grpc-ecosystem/grpc-gateway/v2 v2.33.0
)
