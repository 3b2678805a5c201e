module interop

go 1.19

require (
	github.com/containerd/ttrpc v1.1.2
	github.com/gogo/protobuf v1.3.2
	github.com/golang/protobuf v1.5.0
	google.golang.org/genproto v0.0.0-20200224152610-e50cd9704f63
	google.golang.org/grpc v1.27.1
)

require (
	github.com/sirupsen/logrus v1.8.1 // indirect
	golang.org/x/sys v0.0.0-20210124154548-22da62e12c0c // indirect
)

// As containerd 1.6 builds it: ttrpc 1.1 panics on the details of a status with 1.5.
replace github.com/golang/protobuf => github.com/golang/protobuf v1.3.5
