# SPDX-License-Identifier: Apache-2.0
"""What may pass by default: the two tables of the design ("Tenants", default table), written down here
once more by hand. Deliberately not made from the table that the kernel programs are made from."""

# who may start a flow to what, at the sender
SENDER = {
    "tenant": {"own", "world_public"},
    "unassigned": {"unassigned", "node", "world_public", "world_private"},
    "conflict": set(),
}
# and from what, at the receiver
RECEIVER = {
    "tenant": {"own", "system", "node", "world_public"},
    "unassigned": {"unassigned", "system", "node", "world_public", "world_private"},
    "conflict": set(),
}
UNFILTERED = {"system", "node", "world_public", "world_private"}


def relation(me, peer):
    """What `peer` is to `me`; both have .cls and .tenant."""
    if peer.cls == "tenant" and me.cls == "tenant" and me.tenant == peer.tenant:
        return "own"
    return peer.cls


def allowed(sender, receiver):
    """May `sender` start a flow to `receiver`? Both ends must say yes; each knows the other's class
    only. Ends with an agent on their node judge: .enforced."""
    egress = not judges(sender) or relation(sender, seen(receiver)) in SENDER[sender.cls]
    ingress = not judges(receiver) or relation(receiver, seen(sender)) in RECEIVER[receiver.cls]
    return egress and ingress


def judges(end):
    return end.enforced and end.cls not in UNFILTERED


class _Unprotected:
    cls, tenant = "unprotected", None


def seen(end):
    """A pod on a node without a ready agent is nobody's."""
    return end if end.enforced or end.cls in ("node", "world_public", "world_private") else _Unprotected
