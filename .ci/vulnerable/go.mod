// A program with a known vulnerability, GO-2021-0113: .ci/vuln has to find it.
module vulnerable

go 1.26

require golang.org/x/text v0.3.5
