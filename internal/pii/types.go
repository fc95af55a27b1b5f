package pii

import "slices"

// Type is a type of personal data or secret.
type Type = string

// The types. Secrets have the types of who issued them (API_KEY, AWS_KEY, ...), or SECRET.
const (
	Email        Type = "EMAIL"
	URL          Type = "URL"
	IP           Type = "IP"
	IBAN         Type = "IBAN"
	Card         Type = "CREDIT_CARD"
	SSN          Type = "US_SSN"
	NationalID   Type = "NATIONAL_ID"
	Phone        Type = "PHONE"
	Date         Type = "DATE"
	BirthDate    Type = "DATE_OF_BIRTH"
	Person       Type = "PERSON"
	Location     Type = "LOCATION"
	Address      Type = "ADDRESS"
	Postcode     Type = "POSTCODE"
	Organization Type = "ORGANIZATION"
	Title        Type = "TITLE"
	Age          Type = "AGE"
	Nationality  Type = "NATIONALITY"
	Secret       Type = "SECRET"
)

// Types are the types that can be asked for by name, in the order of documents. SECRET stands for all types of secrets.
var Types = []Type{Email, Phone, Card, IBAN, SSN, NationalID, IP, URL, BirthDate, Date, Person, Location, Address, Postcode, Organization, Title, Age,
	Nationality, Secret}

// Identifying are the types that tell who somebody is, and secrets: what is looked for when no types are named.
var Identifying = slices.DeleteFunc(slices.Clone(Types), func(t Type) bool {
	return t == Date || t == Title || t == Age || t == Nationality
})

// Named are the types that only the model of names can tell.
func Named(t Type) bool {
	switch t {
	case Person, Location, Address, Postcode, Organization, Title, Age, Nationality:
		return true
	}
	return false
}
