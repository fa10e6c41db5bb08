"""Real environment files, where they are, and what is in each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

ENVIRONMENTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "environments"
ENVIRONMENT_YML = ENVIRONMENTS / "environment-yml"

# The end of the file's name, the environment's (- for none), how many conda dependencies, how many
# items of the pip section: counted by a plain YAML loader.
EXPECTED = """
src__conda.yml model-env 2 3
cli__assets__model__mlflow-model__conda.yaml mlflow-env 2 4
scoring-files__docker_env__conda_dependencies.yaml mlflow-env 2 12
cli__jobs__parallel__1a_oj_sales_prediction__src__parallel_train__conda.yaml prs-env 2 10
environment__environment_parallel.yml prs-env 2 10
script__environment_parallel.yml prs-env 2 10
script__environment_prepare.yml prepare-env 2 3
dask__nyctaxi__conda.yaml dask 6 7
environment__conda.yml - 1 1
spark__nyctaxi__conda.yaml spark-env 23 5
data__env-mltable.yml mltable-env 2 2
environments__mltable_environment.yaml mltable_env 2 3
python__assets__model__mlflow-model__conda.yaml mlflow-env 2 4
env__conda.yml fs_env 1 6
online_inference__conda.yml fs_env 1 7
exam-parameter-demo__examparamdetection_conda_environment.yml examparamdetection 2 26
llama-files__docker_env__conda_dependencies.yaml mlflow-env 3 26
python__jobs__parallel__1a_oj_sales_prediction__src__parallel_train__conda.yaml prs-env 2 9
mlflow-deployment-with-explanations__env.yml env 2 5
environment__conda.yaml mlflow-env 2 18
model__conda.yaml mlflow-env 2 4
model__python_env.yaml - 1 4
job-env__conda_dependencies.yml - 2 2
credit_defaults_model__conda.yaml mlflow-env 2 6
credit_defaults_model__python_env.yaml - 1 4
get-started-notebooks__workstation_env.yml workstation_env 5 5
environments__dev-environment.yaml conda-lock-dev 34 1
pangeo__environment.yml pangeo 28 0
zlib__environment.yml - 1 0
gdal__environment.yml - 2 1
test-channel-inversion__environment.yaml - 2 0
test-cuda__environment.yaml cuda 2 0
test-dependency-removal__environment-postupdate.yml - 1 0
test-dependency-removal__environment-preupdate.yml - 2 0
test-env-filter-platform__environment.yml - 4 0
test-env-nodefaults__environment.yml - 1 0
docs__environment.yml sphinx 30 1
advanced-pip__env_template.yml advanced-pip-example 1 6
support__channels_with_envvars.yml nlp 1 0
support__env_with_dependencies.yml - 2 0
example-yaml__environment.yaml test 1 0
base-notebook__environment.yml notebook 3 0
pangeo-docker-images__environment-condalock.yml condalock 4 0
ml-notebook__environment.yml pangeo 7 0
pangeo-notebook__environment.yml pangeo 135 0
pytorch-notebook__environment.yml pangeo 6 0
"""
FILES = [line.split() for line in EXPECTED.splitlines() if line]


def find(tail: str) -> Path:
    """Return the real file whose name is ``tail`` or ends in it, after two underscores."""
    if not ENVIRONMENT_YML.is_dir():
        pytest.skip("the real environment files are not here")
    found = [path for path in ENVIRONMENT_YML.iterdir() if f"__{path.name}".endswith(f"__{tail}")]
    assert len(found) == 1, f"{tail}: {found}"
    return found[0]
