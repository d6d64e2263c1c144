/**
 * A certificate for servers of tests: `registry.test` and below it, `cdn.test`, `b.test`, `localhost`, 127.0.0.1 and ::1,
 * signed by itself, good for a hundred years. Its key is no secret.
 */
export const certificate = `-----BEGIN CERTIFICATE-----
MIICBzCCAaygAwIBAgITWx3kriQM7wTK4w39amvUl+I3aDAKBggqhkjOPQQDAjAX
MRUwEwYDVQQDDAxwaHlsbG8gdGVzdHMwIBcNMjYxMTIzMDYxODQ0WhgPMjEyNjEw
MzAwNjE4NDRaMBcxFTATBgNVBAMMDHBoeWxsbyB0ZXN0czBZMBMGByqGSM49AgEG
CCqGSM49AwEHA0IABGNkJRP0rQ2gei4z/jyI3NyKbv+mDRdpO0v+M+3S/l62uHuU
uQxDs4JajERRa2T7mr32N6sgO+nAyLL2UZTIyiejgdQwgdEwHQYDVR0OBBYEFIpE
3wwmrzTKQe55dJ3Gy8VZ5zQqMB8GA1UdIwQYMBaAFIpE3wwmrzTKQe55dJ3Gy8VZ
5zQqMA8GA1UdEwEB/wQFMAMBAf8wfgYDVR0RBHcwdYINcmVnaXN0cnkudGVzdIII
Y2RuLnRlc3SCC2luc2lkZS50ZXN0ggttYXBwZWQudGVzdIIGYi50ZXN0gg8qLnJl
Z2lzdHJ5LnRlc3SCCWxvY2FsaG9zdIcEfwAAAYcEfwAAAocQAAAAAAAAAAAAAAAA
AAAAATAKBggqhkjOPQQDAgNJADBGAiEAnP71H2OgyENAToc4u9PbX0RiER7c2y2+
3hESiwnGNgYCIQDMqGehlzJyoI/oE3Y5dkfsF0d5WHbYTv4Vtr//G1yUaQ==
-----END CERTIFICATE-----
`

export const certificateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3WNsf5uHTRC9Li8V
6lO6zbpcl/zu4iD/XabMsg1mhJGhRANCAARjZCUT9K0NoHouM/48iNzcim7/pg0X
aTtL/jPt0v5etrh7lLkMQ7OCWoxEUWtk+5q99jerIDvpwMiy9lGUyMon
-----END PRIVATE KEY-----
`
