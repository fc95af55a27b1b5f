package report

// WritePage is HTML with another limit.
var WritePage = writePage
