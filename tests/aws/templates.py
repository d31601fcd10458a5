"""Templates of CloudFormation as these tests read them: parsed, and with parameters put in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
HERE = ROOT / "deploy" / "aws"
NAMES = tuple(sorted(path.stem for path in [*HERE.glob("*.yaml"), *HERE.glob("*.json")]))
ACCOUNT, REGION = "123456789012", "us-east-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::NoValue": None,
}
#: What the roots give the templates below them.
GIVEN = {
    "Name": "candlelake",
    "LakeBucket": f"candlelake-lake-{ACCOUNT}-{REGION}",
    "LakePrefix": "lake",
    "ColdAfterDays": 90,
    "ReplicaRegion": "",
    "ArtifactBucket": f"candlelake-artifacts-{ACCOUNT}-{REGION}",
    "CodeBucket": f"candlelake-artifacts-{ACCOUNT}-{REGION}",
    "CodeKey": "candlelake-1/functions.zip",
    "PackagePrefix": "candlelake-1",
    "ImageUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/candlelake:1",
    "Exchange": "binance",
    "ClusterName": "candlelake-live",
    "LogGroup": "candlelake-log",
    "StartRole": f"arn:aws:iam::{ACCOUNT}:role/start",
    "SecurityGroup": "sg-1",
    "Subnets": "subnet-1,subnet-2",
    "Email": "somebody@example.com",
    "MonthlyDollars": 500,
    "HistoryStart": "2024-08-08",
}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short forms, which become the long ones."""


def _long(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long)


def path_of(name: str) -> Path:
    """Return the file of a template."""
    return next(path for path in HERE.glob(f"{name}.*") if path.suffix in (".yaml", ".json"))


@cache
def _body(name: str) -> dict[str, Any]:
    text = path_of(name).read_text(encoding="utf-8")
    if path_of(name).suffix == ".json":
        return dict(json.loads(text))
    return dict(yaml.load(text, _Loader))  # noqa: S506 - a safe loader with more tags


@dataclass
class Template:
    """One template with its parameters; `made` holds what resources turned out to be.

    `made` is by `Name` for a Ref and `Name.Attribute` for a GetAtt; what is not in it keeps its
    own name, so that it can be told in a message.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    made: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        return _body(self.name)

    @property
    def resources(self) -> dict[str, Any]:
        """Every resource that these parameters ask for, resolved."""
        return {
            name: self.value(one)
            for name, one in self.body["Resources"].items()
            if "Condition" not in one or self._holds(self.body["Conditions"][one["Condition"]])
        }

    def of_type(self, kind: str) -> dict[str, Any]:
        """Return the properties of each resource of a type."""
        return {
            name: one["Properties"]
            for name, one in self.resources.items()
            if one["Type"] == f"AWS::{kind}"
        }

    def value(self, raw: Any) -> Any:
        """Return a value with its functions worked out."""
        if isinstance(raw, list):
            return [one for one in (self.value(inner) for inner in raw) if one is not None]
        if not isinstance(raw, dict):
            return raw
        if len(raw) == 1 and (function := self._function(raw)) is not None:
            return function[0]
        values = {key: self.value(inner) for key, inner in raw.items()}
        return {key: value for key, value in values.items() if value is not None}

    def _function(self, raw: dict[str, Any]) -> tuple[Any] | None:
        ((name, argument),) = raw.items()
        match name:
            case "Ref":
                found = self._named(argument)
            case "Fn::GetAtt":
                found = self._named(".".join(argument))
            case "Fn::Sub":
                found = re.sub(r"\$\{([\w:.]+)\}", lambda one: str(self._named(one[1])), argument)
            case "Fn::If":
                condition, yes, no = argument
                holds = self._holds(self.body["Conditions"][condition])
                found = self.value(yes if holds else no)
            case "Fn::GetAZs":
                found = [f"{REGION}a", f"{REGION}b"]
            case "Fn::Select":
                found = self.value(argument[1])[int(argument[0])]
            case _:
                return None
        return (found,)

    def _holds(self, condition: dict[str, Any]) -> bool:
        ((name, argument),) = condition.items()
        if name == "Fn::Not":
            return not self._holds(argument[0])
        left, right = (self.value(one) for one in argument)
        return str(left) == str(right)

    def _named(self, name: str) -> Any:
        known = {**PSEUDO, **self.made, **GIVEN, **self.parameters}
        if name in known and (name in self.body["Parameters"] or "::" in name or name in self.made):
            return known[name]
        declared = self.body["Parameters"].get(name)
        return declared.get("Default", name) if declared else name


def statements(template: Template) -> dict[str, list[dict[str, Any]]]:
    """Return what each role and policy of a template allows, a list of statements each."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, one in template.of_type("IAM::Role").items():
        documents = [policy["PolicyDocument"] for policy in one.get("Policies", [])]
        found[name] = [statement for document in documents for statement in document["Statement"]]
    for kind in ("IAM::ManagedPolicy", "IAM::Policy"):
        for name, one in template.of_type(kind).items():
            found[name] = one["PolicyDocument"]["Statement"]
    return found


def listed(value: str | list[str]) -> list[str]:
    """Return a policy's word as a list, as it may be either."""
    return [value] if isinstance(value, str) else value


DOCUMENT = ROOT / "docs" / "deploy-aws.md"


def printed() -> list[str]:
    """Return the lines of the shell that docs/deploy-aws.md prints."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return [line for block in blocks for line in block.splitlines()]
