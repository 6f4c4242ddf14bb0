"""Reads the whole of a table's stream from an engine, as its records reach a function on AWS."""

from collections.abc import Iterator
from typing import Any

import botocore.config
import botocore.session

from infra.local.aws import LOCAL_KEY, LOCAL_REGION
from tests.engines import Table
from tests.proof.plain import plain_client


def records_of(table: Table) -> Iterator[dict[str, Any]]:
    """Yield every record of a table's stream, from its beginning, in order."""
    arn = plain_client(table.endpoint_url).describe_table(TableName=table.name)["Table"]["LatestStreamArn"]
    streams: Any = botocore.session.get_session().create_client(
        "dynamodbstreams",
        LOCAL_REGION,
        endpoint_url=table.endpoint_url,
        aws_access_key_id=LOCAL_KEY,
        aws_secret_access_key=LOCAL_KEY,
        config=botocore.config.Config(
            parameter_validation=False
        ),  # dynoxide's shards have shorter names than AWS's
    )
    shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    for shard in shards:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator, Limit=1000)
            for record in page["Records"]:
                at = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
                yield {**record, "dynamodb": {**record["dynamodb"], "ApproximateCreationDateTime": at}}
            iterator = page.get("NextShardIterator") if page["Records"] else None
