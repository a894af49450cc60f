package console

var sessionPages []page
