// Package hubspot is a HubSpot CRM in memory, for tests and trials: objects,
// properties, associations and OAuth as far as a destination needs them.
//
// It is strict where HubSpot is: an unknown property, a value that does not fit
// its property, a key that is given twice and more than 100 inputs are errors
// with HubSpot's bodies. Results come back shuffled, so that who goes by
// position fails. [Faults] are played on demand.
package hubspot
