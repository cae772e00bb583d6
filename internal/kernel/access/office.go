package access

// OfOffice is that a person belongs to an office. They live where it is competent, have a role at a
// contributor with a position there, or work there. personID is the column of their id; each of the
// three ? is the office's code.
func OfOffice(personID string) string {
	return "EXISTS (SELECT 1 FROM people o WHERE o.id = " + personID + " AND (o.office_code = ?" +
		" OR EXISTS (SELECT 1 FROM register_people l WHERE l.tax_code = o.tax_code AND l.office_code = ?)" +
		" OR EXISTS (SELECT 1 FROM contributor_roles r JOIN positions x ON x.contributor_id = r.contributor_id" +
		" WHERE r.person_id = o.id AND x.office_code = ? AND " + LiveRole("r") + ")))"
}
