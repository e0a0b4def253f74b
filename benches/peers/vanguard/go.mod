module millrace/peers/vanguard

go 1.25.0

require connectrpc.com/vanguard v0.4.0
