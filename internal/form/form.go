// Package form is the output form of a task: what an answer must look like, how it is written in demonstrations and
// training targets, and how a model's text is read back. All three use one property order, the schema's: a grammar forces
// that order on constrained decoding, and demonstrations in another order make the answers worse.
package form
