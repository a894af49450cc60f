package main

import (
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3err"
)

var _ = posix.New
var _ = embedgw.RunVersityGW
var _ = meta.NewSideCar
var _ = s3err.GetAPIError

func main() {}
