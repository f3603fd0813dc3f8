// Package forms reads and writes data forms (XEP-0004 §3) as machines exchange
// them: fields with names, types and values, in order.
//
// mellium's form type is for people who fill forms in: it reads values by the
// type of their field, which submitted forms leave out (§3.2), and writes no
// form of type form with values byte for byte as a peer expects them. Labels,
// options, instructions and the tables of §3.4 are not covered.
package forms
