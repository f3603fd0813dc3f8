// Package disco says what the component is and can do (XEP-0030 §3, §4): an
// identity, the features of all that has registered with the component, and
// forms of further information (XEP-0128). There are no items but the ad-hoc
// commands, at the node that XEP-0050 §2 names. Result set management and
// capabilities (XEP-0115) are not covered: a component has no presence.
package disco
