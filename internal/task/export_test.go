package task

// Keys are the keys that Load knows, for the test that the schema lists the same.
var Keys = keys
