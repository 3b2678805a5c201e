module pods

go 1.21

require github.com/containerd/containerd/v2 v2.4.2
