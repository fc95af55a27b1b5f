package main

func comparePresidio(d dir) {}
