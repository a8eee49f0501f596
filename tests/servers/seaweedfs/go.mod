// SeaweedFS 3.39 of January 2023, the newest of which the module proxy has a copy: its tags have no form that Go knows.
module snipbench.example/objectserver

go 1.22

require github.com/seaweedfs/seaweedfs v0.0.0-20230109022022-51d4a4b28d0e
