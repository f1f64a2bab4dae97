module avsproxy/bench

go 1.26.0

toolchain go1.27.4

require avsproxy v0.0.0

require golang.org/x/net v0.62.0 // indirect

require (
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace avsproxy => ../
