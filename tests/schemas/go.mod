module schemas

go 1.21

require (
	github.com/containerd/containerd/api v1.12.0
	github.com/containerd/nri v0.12.3
	k8s.io/cri-api v0.37.0
)
