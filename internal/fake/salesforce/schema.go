package salesforce

// Kind is the type of a field.
type Kind int

// The kinds.
const (
	Text      Kind = iota // and every other field that holds text: URL, phone, picklist
	Number                // and currency: 18 digits at most
	Checkbox              // never null
	Date                  // YYYY-MM-DD
	DateTime              // ISO 8601; kept to the second
	Reference             // the id of another record
)

// Field is one field of an object.
type Field struct {
	Kind       Kind
	Length     int  // of Text; 0: 255
	Required   bool // may not be empty
	ExternalID bool // unique, told apart by case

	// Of a Reference: the object it points to, and the name under which a record
	// may name its parent by an external id.
	To, Relationship string
}

// Schema is the fields of every object, by their API names.
type Schema map[string]map[string]Field

// DefaultSchema is an org prepared for the pack rootfi/salesforce, with the
// fields that a version guard and soft deletion need.
func DefaultSchema() Schema {
	s := Schema{
		"Account": {
			"Name": {Required: true}, "Phone": {Length: 40}, "Website": {}, "BillingStreet": {}, "BillingCity": {Length: 40},
			"BillingState": {Length: 80}, "BillingPostalCode": {Length: 20}, "BillingCountry": {Length: 80},
		},
		"Contact": {
			"LastName": {Length: 80, Required: true}, "FirstName": {Length: 40}, "Email": {Length: 80}, "Phone": {Length: 40},
			"AccountId": {Kind: Reference, To: "Account", Relationship: "Account"},
		},
		"Invoice__c": {
			"Account__c": {Kind: Reference, To: "Account", Relationship: "Account__r"},
			"Number__c":  {}, "Status__c": {}, "Total__c": {Kind: Number}, "Tax__c": {Kind: Number},
			"Amount_Due__c": {Kind: Number}, "Currency__c": {Length: 3}, "Posted__c": {Kind: Date}, "Due__c": {Kind: Date},
		},
		"Payment__c": {
			"Invoice__c": {Kind: Reference, To: "Invoice__c", Relationship: "Invoice__r"},
			"Amount__c":  {Kind: Number}, "Mode__c": {}, "Paid__c": {Kind: Date}, "Currency__c": {Length: 3},
		},
	}
	for _, fields := range s {
		fields["RootFi_Key__c"] = Field{ExternalID: true}
		fields["RootFi_Version__c"] = Field{Kind: Number}
		fields["RootFi_Deleted__c"] = Field{Kind: Checkbox}
	}
	return s
}

// relationship finds the reference that a record names as a relationship.
func (s Schema) relationship(object, name string) (field string, f Field, ok bool) {
	for field, f := range s[object] {
		if f.Relationship != "" && f.Relationship == name {
			return field, f, true
		}
	}
	return "", Field{}, false
}
