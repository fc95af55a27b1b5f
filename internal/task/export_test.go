package task

// Keys are the keys that Load knows, for the test that the schema lists the same.
var Keys = keys

// DescriptionKeys are those of a dataset's description.
var DescriptionKeys = descriptionKeys
